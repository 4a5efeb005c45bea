//! Bells: auto-reset events. Rings merge, and a wait that a ring has ended silences it.
use super::kernel::{Result, milliseconds};
use super::{handle, last_error, number};
use core::time::Duration;
use vmmc_sync::{AtomicU32, Ordering};
use windows_sys::Win32::Foundation::{CloseHandle, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent, WaitForSingleObject};

static OF_SERVICE: AtomicU32 = AtomicU32::new(0);

/// Makes a bell. The caller owns it.
///
/// # Errors
/// The system's, when it has no handle to give.
pub fn create() -> Result<i32> {
    // SAFETY: no security, no name: no memory is involved.
    let event = unsafe { CreateEventW(core::ptr::null(), 0, 0, core::ptr::null()) };
    if event.is_null() { Err(last_error()) } else { Ok(number(event)) }
}

/// The bell of this process's service thread: every peer and the broker ring it. Made once, and never closed.
///
/// # Errors
/// As [`create`].
pub fn of_service() -> Result<i32> {
    let known = OF_SERVICE.load(Ordering::Acquire);
    if known != 0 {
        return Ok(known as i32);
    }
    let new = create()?;
    match OF_SERVICE.compare_exchange(0, new as u32, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(new),
        Err(first) => {
            // SAFETY: made above, and nobody else knows it.
            unsafe { CloseHandle(handle(new)) };
            Ok(first as i32)
        }
    }
}

/// Rings `bell` (negative: there is none). It never blocks.
pub fn ring(bell: i32) {
    if bell >= 0 {
        // SAFETY: no memory is involved; a handle that is none is refused.
        unsafe { SetEvent(handle(bell)) };
    }
}

/// Silences a bell whose ringing a wait has reported: the wait has done so already.
pub fn clear(_bell: i32) {}

/// Waits at most `timeout` (`None`: without end) until `bell` has rung, and silences it: whether it had.
///
/// # Errors
/// The system's, for a handle that is none.
pub fn wait(bell: i32, timeout: Option<Duration>) -> Result<bool> {
    // SAFETY: no memory is involved.
    match unsafe { WaitForSingleObject(handle(bell), milliseconds(timeout)) } {
        WAIT_OBJECT_0 => Ok(true),
        WAIT_TIMEOUT => Ok(false),
        _ => Err(last_error()),
    }
}
