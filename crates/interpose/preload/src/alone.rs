//! Calls that the kernel refuses to a process of several threads. The library's own thread must not be the reason.

use crate::answer::{errno, told};
use crate::real::real;
use core::ffi::c_int;
use vmmc_os::process::sleep_micros;
use vmmc_socket::{come_back, step_aside};

real! {
    fn unshare(flags: c_int) -> c_int;
    fn setns(fd: c_int, kind: c_int) -> c_int;
}

/// The kernel counts a thread for a moment after its end: tries, and the sleep between two.
const TRIES: u32 = 250;
const BETWEEN_MICROS: u32 = 200;

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn unshare(flags: c_int) -> c_int {
    // SAFETY: no memory is involved.
    alone(|| unsafe { real::unshare(flags) })
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn setns(fd: c_int, kind: c_int) -> c_int {
    // SAFETY: no memory is involved.
    alone(|| unsafe { real::setns(fd, kind) })
}

/// Makes the call, and again without the library's thread if that may have been in its way.
fn alone(call: impl Fn() -> c_int) -> c_int {
    let refused = |result: c_int| result == -1 && errno() == libc::EINVAL;
    let mut result = call();
    if refused(result) && step_aside() {
        for _ in 0..TRIES {
            result = call();
            if !refused(result) {
                break;
            }
            sleep_micros(BETWEEN_MICROS);
        }
        told(come_back);
    }
    result
}
