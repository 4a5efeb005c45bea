//! Thread cancellation (pthread_cancel) where a raw call sleeps: the C library's own calls end there, so ours must.
//!
//! The thread's stack is unwound by force, through frames without landing pads (`panic = "abort"`): nothing is dropped.
//! What a sleeper holds it gives back by [`sleep_holding`]'s `undo`.
use core::ffi::{c_int, c_void};

const ASYNCHRONOUS: c_int = 1;

unsafe extern "C" {
    fn pthread_setcanceltype(kind: c_int, old: *mut c_int) -> c_int;
    fn _pthread_cleanup_push(place: *mut Cleanup, routine: extern "C" fn(*mut c_void), argument: *mut c_void);
    fn _pthread_cleanup_pop(place: *mut Cleanup, execute: c_int);
}

/// `struct _pthread_cleanup_buffer`.
#[repr(C)]
struct Cleanup {
    routine: usize,
    argument: usize,
    cancel_type: c_int,
    previous: usize,
}

/// Makes a call that may sleep and consumes nothing; a cancelled thread ends within it.
pub fn sleep<R>(call: impl FnOnce() -> R) -> R {
    let mut old = 0;
    // SAFETY: between the two changes of type there is only a system call, which holds nothing.
    unsafe {
        pthread_setcanceltype(ASYNCHRONOUS, &raw mut old);
        let result = call();
        pthread_setcanceltype(old, &raw mut old);
        result
    }
}

/// As [`sleep`], for a caller that holds something: `undo(held)` is called if the thread ends within the call.
pub fn sleep_holding<T, R>(held: &T, undo: extern "C" fn(*mut c_void), call: impl FnOnce() -> R) -> R {
    let mut place = Cleanup { routine: 0, argument: 0, cancel_type: 0, previous: 0 };
    // SAFETY: the place is on the stack and taken off again before it goes; `held` outlives it.
    unsafe {
        _pthread_cleanup_push(&raw mut place, undo, core::ptr::from_ref(held).cast_mut().cast());
        let result = sleep(call);
        _pthread_cleanup_pop(&raw mut place, 0);
        result
    }
}
