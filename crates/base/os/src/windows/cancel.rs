//! Cancellation of a thread in a call that sleeps: Windows has none that returns to nobody, so there is nothing to give back.
use core::ffi::c_void;

/// Makes a call that may sleep and consumes nothing.
pub fn sleep<R>(call: impl FnOnce() -> R) -> R {
    call()
}

/// As [`sleep`], for a caller that holds something.
pub fn sleep_holding<T, R>(_held: &T, _undo: extern "C" fn(*mut c_void), call: impl FnOnce() -> R) -> R {
    call()
}
