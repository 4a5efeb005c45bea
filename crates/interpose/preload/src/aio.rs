//! Asynchronous reads and writes, which a thread of the C library's makes past us.

use crate::lifecycle::move_back;
use crate::real::{also, real};
use core::ffi::{c_int, c_void};
use libc::aiocb;
use vmmc_protocol::Reason;

real! {
    fn aio_read(request: *mut aiocb) -> c_int;
    fn aio_write(request: *mut aiocb) -> c_int;
    fn lio_listio(mode: c_int, requests: *const *mut aiocb, count: c_int, event: *mut c_void) -> c_int;
}

/// The request's connection, if it is one, moves back.
unsafe fn leave(request: *const aiocb) {
    // SAFETY: null or the program's request.
    if let Some(request) = unsafe { request.as_ref() } {
        move_back(request.aio_fildes, Reason::KERNEL_FEATURE);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn aio_read(request: *mut aiocb) -> c_int {
    // SAFETY: the program's arguments.
    unsafe {
        leave(request);
        real::aio_read(request)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn aio_write(request: *mut aiocb) -> c_int {
    // SAFETY: the program's arguments.
    unsafe {
        leave(request);
        real::aio_write(request)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn lio_listio(mode: c_int, requests: *const *mut aiocb, count: c_int, event: *mut c_void) -> c_int {
    let count_given = if requests.is_null() { 0 } else { usize::try_from(count).unwrap_or(0) };
    for at in 0..count_given {
        // SAFETY: the program's array of so many requests.
        unsafe { leave(*requests.add(at)) };
    }
    // SAFETY: the program's arguments.
    unsafe { real::lio_listio(mode, requests, count, event) }
}

also! {
    aio_read64 = aio_read(request: *mut aiocb) -> c_int;
    aio_write64 = aio_write(request: *mut aiocb) -> c_int;
    lio_listio64 = lio_listio(mode: c_int, requests: *const *mut aiocb, count: c_int, event: *mut c_void) -> c_int;
}
