//! From an ending to a result and the thread's last error, which WinSock and Windows keep in one place.

use vmmc_os::Errno;
use vmmc_socket::Ending;
use windows_sys::Win32::Foundation::{GetLastError, SetLastError};

/// What most calls of WinSock return when they fail.
pub(crate) const SOCKET_ERROR: i32 = -1;

/// The calling thread's last error: what `WSAGetLastError` returns.
#[inline]
pub(crate) fn error() -> u32 {
    // SAFETY: it reads a word of the thread's own.
    unsafe { GetLastError() }
}

/// Sets the calling thread's last error.
#[inline]
pub(crate) fn set_error(number: u32) {
    // SAFETY: it writes a word of the thread's own.
    unsafe { SetLastError(number) }
}

/// Fails the call: -1 and this error.
#[inline]
pub(crate) fn fail(number: i32) -> i32 {
    set_error(number.cast_unsigned());
    SOCKET_ERROR
}

/// What the socket room says. `Some` is the call's result, and the last error says so: 0 if it succeeded, as the system's
/// own calls leave it. `None`: the system's function is to be called.
#[inline]
pub(crate) fn answered(ending: Ending) -> Option<i32> {
    match ending {
        Ending::Failed(Errno(number)) => Some(fail(number)),
        Ending::Handled(result) => {
            set_error(0);
            Some(i32::try_from(result).unwrap_or(i32::MAX))
        }
        Ending::Bypass => None,
    }
}

/// As [`answered`], for a room that may have made calls of its own before it leaves the rest to the system: the last error is
/// then as it was.
#[inline]
pub(crate) fn asked(room: impl FnOnce() -> Ending) -> Option<i32> {
    let before = error();
    let ending = room();
    if matches!(ending, Ending::Bypass) {
        set_error(before);
    }
    answered(ending)
}

/// Tells the socket room something that must not show in the last error.
#[inline]
pub(crate) fn told(room: impl FnOnce()) {
    let before = error();
    room();
    set_error(before);
}
