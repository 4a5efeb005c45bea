//! Calls that make two descriptors at once, neither of which is a TCP connection's end.

use crate::makers::new;
use crate::real::{also, real};
use core::ffi::{c_char, c_int, c_void};

real! {
    fn pipe(fds: *mut c_int) -> c_int;
    fn pipe2(fds: *mut c_int, flags: c_int) -> c_int;
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, fds: *mut c_int) -> c_int;
    fn openpty(
        master: *mut c_int, slave: *mut c_int, name: *mut c_char, termios: *const c_void, size: *const c_void,
    ) -> c_int;
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pipe(fds: *mut c_int) -> c_int {
    // SAFETY: the program's arguments.
    unsafe { both(real::pipe(fds), fds, fds.wrapping_add(1)) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pipe2(fds: *mut c_int, flags: c_int) -> c_int {
    // SAFETY: the program's arguments.
    unsafe { both(real::pipe2(fds, flags), fds, fds.wrapping_add(1)) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn socketpair(domain: c_int, kind: c_int, protocol: c_int, fds: *mut c_int) -> c_int {
    // SAFETY: the program's arguments.
    unsafe { both(real::socketpair(domain, kind, protocol, fds), fds, fds.wrapping_add(1)) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn openpty(
    master: *mut c_int,
    slave: *mut c_int,
    name: *mut c_char,
    termios: *const c_void,
    size: *const c_void,
) -> c_int {
    // SAFETY: the program's arguments.
    unsafe { both(real::openpty(master, slave, name, termios, size), master, slave) }
}

/// Reports both, if `result` says that they were made.
///
/// # Safety
/// They are readable then.
unsafe fn both(result: c_int, first: *const c_int, second: *const c_int) -> c_int {
    if result == 0 {
        // SAFETY: the C library has just written both.
        unsafe {
            new(*first);
            new(*second);
        }
    }
    result
}

also! {
    __pipe = pipe(fds: *mut c_int) -> c_int;
}
