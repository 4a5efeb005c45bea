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

/// Asks the socket room. `Some` is the call's result, with `errno` set if it failed; `None`: the C library's function is to be
/// called. `errno` is otherwise as it was: the rooms below make their system calls themselves, and the one function of the C
/// library that they meet and that might set it (`vmmc_os::process::start_thread`) puts it back. To keep it here costs two
/// calls of the C library each time, a twentieth of a short message's round trip.
#[inline(always)]
pub(crate) fn asked(room: impl FnOnce() -> Ending) -> Option<isize> {
    match room() {
        Ending::Failed(Errno(number)) => Some(fail(number)),
        Ending::Handled(result) => Some(result),
        Ending::Bypass => None,
    }
}

/// Tells the socket room something that must not show in `errno`.
#[inline]
pub(crate) fn told<R>(room: impl FnOnce() -> R) -> R {
    let before = errno();
    let answer = room();
    set_errno(before);
    answer
}
