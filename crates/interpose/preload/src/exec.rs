//! Another program takes this process's place: what it would inherit moves back first. `execl` and its kin are in `detour.rs`.

use crate::real::preceded;
use core::ffi::{c_char, c_int};
use vmmc_socket::process::before_exec;

type Strings = *const *const c_char;

preceded! {
    by before_exec;
    fn execve(path: *const c_char, arguments: Strings, environment: Strings) -> c_int;
    fn execv(path: *const c_char, arguments: Strings) -> c_int;
    fn execvp(file: *const c_char, arguments: Strings) -> c_int;
    fn execvpe(file: *const c_char, arguments: Strings, environment: Strings) -> c_int;
    fn fexecve(fd: c_int, arguments: Strings, environment: Strings) -> c_int;
    fn execveat(directory: c_int, path: *const c_char, arguments: Strings, environment: Strings, flags: c_int) -> c_int;
}
