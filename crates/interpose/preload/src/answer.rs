//! From an ending to a result and `errno`.

use core::ffi::c_int;
use vmmc_os::Errno;
use vmmc_socket::Ending;

/// The calling thread's `errno`.
#[inline]
pub(crate) fn errno() -> c_int {
    // SAFETY: the C library's address of this thread's own errno.
    unsafe { *libc::__errno_location() }
}

/// Sets the calling thread's `errno`.
#[inline]
pub(crate) fn set_errno(number: c_int) {
    // SAFETY: as in `errno`.
    unsafe { *libc::__errno_location() = number }
}

/// Fails the call: -1 and this errno.
#[inline]
pub(crate) fn fail(number: c_int) -> isize {
    set_errno(number);
    -1
}

/// Asks the socket room. `Some` is the call's result, with `errno` set if it failed and else as it was;
/// `None`: the C library's function is to be called.
#[inline]
pub(crate) fn asked(room: impl FnOnce() -> Ending) -> Option<isize> {
    let before = errno();
    match room() {
        Ending::Failed(Errno(number)) => Some(fail(number)),
        Ending::Handled(result) => {
            set_errno(before);
            Some(result)
        }
        Ending::Bypass => {
            set_errno(before);
            None
        }
    }
}

/// Tells the socket room something that must not show in `errno`.
#[inline]
pub(crate) fn told(room: impl FnOnce()) {
    let before = errno();
    room();
    set_errno(before);
}
