//! The program begins with WinSock and ends with it, and ends.

use crate::answer::{SOCKET_ERROR, told};
use crate::real::real;
use crate::redirect;
use crate::start::is_second;
use core::ffi::c_void;
use std::sync::Once;
use vmmc_socket::{lifecycle, process as room};
use vmmc_sync::{AtomicUsize, Ordering};

real! {
    WinSock2 fn WSAStartup(version: u16, data: *mut c_void) -> i32 = NOT_READY;
    WinSock2 fn WSACleanup() -> i32 = SOCKET_ERROR;
    Kernel fn ExitProcess(status: u32) -> () = ();
}

/// `WSASYSNOTREADY`, which WSAStartup returns instead of setting it.
const NOT_READY: i32 = windows_sys::Win32::Networking::WinSock::WSASYSNOTREADY;

/// Successful startups that no cleanup has undone. The system counts as well, but it counts other users of the process too.
static STARTUPS: AtomicUsize = AtomicUsize::new(0);
static START: Once = Once::new();

/// Starts the socket room when the program makes its first socket: never from the loader. Without it no socket is known, and
/// every call is the system's.
pub(crate) fn start() {
    if !is_second() {
        START.call_once(|| told(room::start));
    }
}

/// Whether the socket room is at work.
pub(crate) fn is_started() -> bool {
    START.is_completed()
}

pub(crate) unsafe extern "system" fn WSAStartup(version: u16, data: *mut c_void) -> i32 {
    // SAFETY: the program's arguments.
    let result = unsafe { real::WSAStartup(version, data) };
    if result == 0 {
        STARTUPS.fetch_add(1, Ordering::Relaxed);
        told(redirect::refresh);
    }
    result
}

/// The last one ends every socket that is still open.
pub(crate) unsafe extern "system" fn WSACleanup() -> i32 {
    if STARTUPS.load(Ordering::Relaxed) == 1 {
        told(|| {
            lifecycle::each_tracked(|socket| {
                let _ = lifecycle::before_close(socket);
            });
        });
    }
    // SAFETY: no memory is involved.
    let result = unsafe { real::WSACleanup() };
    if result == 0 {
        let _ = STARTUPS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
    }
    result
}

/// The kernel is made to say at the end what it would have said without us.
pub(crate) unsafe extern "system" fn ExitProcess(status: u32) {
    if is_started() {
        told(room::before_exit);
    }
    // SAFETY: no memory is involved.
    unsafe { real::ExitProcess(status) }
}
