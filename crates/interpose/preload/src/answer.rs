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
#[inline(always)]
pub(crate) fn asked(room: impl FnOnce() -> Ending) -> Option<isize> {
    // SAFETY: the call has no precondition.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: this thread's own errno, which stays where it is as long as the thread lives.
    let before = unsafe { *errno };
    let (after, result) = match room() {
        Ending::Failed(Errno(number)) => (number, Some(-1)),
        Ending::Handled(result) => (before, Some(result)),
        Ending::Bypass => (before, None),
    };
    // SAFETY: as above.
    unsafe { *errno = after };
    result
}

/// Tells the socket room something that must not show in `errno`.
#[inline]
pub(crate) fn told<R>(room: impl FnOnce() -> R) -> R {
    let before = errno();
    let answer = room();
    set_errno(before);
    answer
}
