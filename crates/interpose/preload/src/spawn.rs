//! A child executes another program while we live on: what it would inherit moves back first.

use crate::real::preceded;
use core::ffi::{c_char, c_int, c_void};
use vmmc_socket::process::before_spawn;

type Strings = *const *const c_char;

preceded! {
    by before_spawn;
    fn posix_spawn(
        pid: *mut c_int, path: *const c_char, actions: *const c_void, attributes: *const c_void, arguments: Strings,
        environment: Strings,
    ) -> c_int;
    fn posix_spawnp(
        pid: *mut c_int, file: *const c_char, actions: *const c_void, attributes: *const c_void, arguments: Strings,
        environment: Strings,
    ) -> c_int;
    fn pidfd_spawn(
        pidfd: *mut c_int, path: *const c_char, actions: *const c_void, attributes: *const c_void,
        arguments: Strings, environment: Strings,
    ) -> c_int;
    fn pidfd_spawnp(
        pidfd: *mut c_int, file: *const c_char, actions: *const c_void, attributes: *const c_void,
        arguments: Strings, environment: Strings,
    ) -> c_int;
    fn system(command: *const c_char) -> c_int;
    fn wordexp(words: *const c_char, result: *mut c_void, flags: c_int) -> c_int;
    fn _IO_proc_open(stream: *mut c_void, command: *const c_char, mode: *const c_char) -> *mut c_void;
}
