//! Calls that make one descriptor, which is not a connection's end: whatever the table holds at its number is gone.

use crate::answer::told;
use crate::real::real;
use core::ffi::{c_char, c_int, c_uint, c_void};
use libc::{mode_t, pid_t, size_t};
use vmmc_socket::lifecycle::made;

/// Declares `real::NAME` and our function of that name, which reports what the C library's returned.
macro_rules! makers {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> c_int;)*) => {
        real! { $(fn $name($($argument: $type),*) -> c_int;)* }
        $(#[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            // SAFETY: the program's arguments.
            new(unsafe { real::$name($($argument),*) })
        })*
    };
}

makers! {
    fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    fn __open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    fn __open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    fn __open_2(path: *const c_char, flags: c_int) -> c_int;
    fn __open64_2(path: *const c_char, flags: c_int) -> c_int;
    fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    fn __openat_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int;
    fn __openat64_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int;
    fn openat2(directory: c_int, path: *const c_char, how: *const c_void, size: size_t) -> c_int;
    fn creat(path: *const c_char, mode: mode_t) -> c_int;
    fn creat64(path: *const c_char, mode: mode_t) -> c_int;
    fn open_by_handle_at(mount: c_int, handle: *mut c_void, flags: c_int) -> c_int;
    fn open_tree(directory: c_int, path: *const c_char, flags: c_uint) -> c_int;
    fn fsopen(name: *const c_char, flags: c_uint) -> c_int;
    fn fsmount(fd: c_int, flags: c_uint, attributes: c_uint) -> c_int;
    fn fspick(directory: c_int, path: *const c_char, flags: c_uint) -> c_int;
    fn mkstemp(template: *mut c_char) -> c_int;
    fn mkstemp64(template: *mut c_char) -> c_int;
    fn mkostemp(template: *mut c_char, flags: c_int) -> c_int;
    fn mkostemp64(template: *mut c_char, flags: c_int) -> c_int;
    fn mkstemps(template: *mut c_char, suffix: c_int) -> c_int;
    fn mkstemps64(template: *mut c_char, suffix: c_int) -> c_int;
    fn mkostemps(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int;
    fn mkostemps64(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int;
    fn shm_open(name: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    fn mq_open(name: *const c_char, flags: c_int, mode: mode_t, attributes: *mut c_void) -> c_int;
    fn __mq_open_2(name: *const c_char, flags: c_int) -> c_int;
    fn memfd_create(name: *const c_char, flags: c_uint) -> c_int;
    fn eventfd(value: c_uint, flags: c_int) -> c_int;
    fn timerfd_create(clock: c_int, flags: c_int) -> c_int;
    fn signalfd(fd: c_int, mask: *const c_void, flags: c_int) -> c_int;
    fn inotify_init() -> c_int;
    fn inotify_init1(flags: c_int) -> c_int;
    fn fanotify_init(flags: c_uint, event_flags: c_uint) -> c_int;
    fn pidfd_open(pid: pid_t, flags: c_uint) -> c_int;
    fn posix_openpt(flags: c_int) -> c_int;
    fn getpt() -> c_int;
    fn rresvport(port: *mut c_int) -> c_int;
    fn rresvport_af(port: *mut c_int, family: c_int) -> c_int;
    fn rcmd(
        host: *mut *mut c_char, port: c_uint, local: *const c_char, remote: *const c_char, command: *const c_char,
        error: *mut c_int,
    ) -> c_int;
    fn rcmd_af(
        host: *mut *mut c_char, port: c_uint, local: *const c_char, remote: *const c_char, command: *const c_char,
        error: *mut c_int, family: c_int,
    ) -> c_int;
    fn rexec(
        host: *mut *mut c_char, port: c_int, user: *const c_char, password: *const c_char, command: *const c_char,
        error: *mut c_int,
    ) -> c_int;
    fn rexec_af(
        host: *mut *mut c_char, port: c_int, user: *const c_char, password: *const c_char, command: *const c_char,
        error: *mut c_int, family: c_int,
    ) -> c_int;
}

/// Reports a descriptor, if it is one.
pub(crate) fn new(fd: c_int) -> c_int {
    if fd >= 0 {
        told(|| made(fd));
    }
    fd
}
