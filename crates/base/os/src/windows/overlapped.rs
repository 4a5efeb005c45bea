//! A socket call that must not wait, on a socket that may: started overlapped, and cancelled if it is not done at once.
//!
//! The program's own mode of the socket (`FIONBIO`) is never touched. The event's lowest bit keeps a completion port that
//! the program has tied to the socket from hearing of it.
use super::kernel::Result;
use super::{handle, last_error, number, winsock};
use crate::Errno;
use vmmc_sync::{AtomicU32, Ordering};
use windows_sys::Win32::Foundation::{CloseHandle, ERROR_IO_PENDING, ERROR_OPERATION_ABORTED, HANDLE};
use windows_sys::Win32::Networking::WinSock::{SOCKET, WSAEWOULDBLOCK};
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED};
use windows_sys::Win32::System::Threading::CreateEventW;

/// Events kept for the next call; 0: an empty place.
static SPARE: [AtomicU32; 16] = [const { AtomicU32::new(0) }; 16];

/// A manual-reset event (every overlapped call begins by resetting it), lent to one call at a time.
pub(super) struct Event(i32);

impl Event {
    pub(super) fn take() -> Result<Self> {
        let spare = SPARE.iter().map(|place| place.swap(0, Ordering::AcqRel)).find(|event| *event != 0);
        if let Some(event) = spare {
            return Ok(Self(event as i32));
        }
        // SAFETY: no security, no name: no memory is involved.
        let event = unsafe { CreateEventW(core::ptr::null(), 1, 0, core::ptr::null()) };
        if event.is_null() { Err(last_error()) } else { Ok(Self(number(event))) }
    }
}

impl Event {
    /// For an overlapped structure: its lowest bit keeps a completion port from hearing of the call.
    pub(super) fn without_port(&self) -> HANDLE {
        handle(self.0 | 1)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let keep =
            |place: &AtomicU32| place.compare_exchange(0, self.0 as u32, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if !SPARE.iter().any(keep) {
            // SAFETY: taken out of the pool or made by `take`, and nobody else knows it.
            unsafe { CloseHandle(handle(self.0)) };
        }
    }
}

/// Makes the overlapped call `start(overlapped, done)` on `socket`, which fills `done` if it finishes at once; if it does not,
/// it is cancelled: `EAGAIN`, unless it finished all the same. What `start` lends the system is the system's until this returns.
pub(super) fn at_once(socket: SOCKET, start: impl FnOnce(*mut OVERLAPPED, *mut u32) -> i32) -> Result<usize> {
    let event = Event::take()?;
    // SAFETY: all zeroes is an overlapped structure that has not been used.
    let mut overlapped: OVERLAPPED = unsafe { core::mem::zeroed() };
    overlapped.hEvent = event.without_port();
    let (mut done, mut flags) = (0u32, 0u32);
    if start(&raw mut overlapped, &raw mut done) == 0 {
        return Ok(done as usize);
    }
    let error = last_error();
    if error.0 as u32 != ERROR_IO_PENDING {
        return Err(error);
    }
    // SAFETY: the structure is the pending call's, and stays here until the system is done with it: the second call waits.
    let finished = unsafe {
        CancelIoEx(core::ptr::without_provenance_mut(socket), &raw const overlapped);
        winsock::overlapped_result(socket, &raw const overlapped, &raw mut done, 1, &raw mut flags)
    };
    if finished != 0 {
        return Ok(done as usize);
    }
    match last_error() {
        Errno(error) if error as u32 == ERROR_OPERATION_ABORTED => Err(Errno(WSAEWOULDBLOCK)),
        error => Err(error),
    }
}
