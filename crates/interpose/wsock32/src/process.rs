//! The program begins with WinSock and ends with it, starts children, and ends.

use crate::answer::{SOCKET_ERROR, told};
use crate::real::real;
use crate::redirect;
use core::ffi::c_void;
use std::sync::Once;
use vmmc_socket::{lifecycle, process as room};
use vmmc_sync::{AtomicUsize, Ordering};

real! {
    WinSock2 fn WSAStartup(version: u16, data: *mut c_void) -> i32 = NOT_READY;
    WinSock2 fn WSACleanup() -> i32 = SOCKET_ERROR;
    Kernel fn ExitProcess(status: u32) -> () = ();
    Kernel fn CreateProcessA(
        name: *const u8, line: *mut u8, security: *const c_void, thread_security: *const c_void, inherit: i32,
        flags: u32, environment: *const c_void, directory: *const u8, start: *const c_void, info: *mut c_void,
    ) -> i32 = 0;
    Kernel fn CreateProcessW(
        name: *const u16, line: *mut u16, security: *const c_void, thread_security: *const c_void, inherit: i32,
        flags: u32, environment: *const c_void, directory: *const u16, start: *const c_void, info: *mut c_void,
    ) -> i32 = 0;
}

/// `WSASYSNOTREADY`, which WSAStartup returns instead of setting it.
const NOT_READY: i32 = windows_sys::Win32::Networking::WinSock::WSASYSNOTREADY;

/// Successful startups that no cleanup has undone. The system counts as well, but it counts other users of the process too.
static STARTUPS: AtomicUsize = AtomicUsize::new(0);
static START: Once = Once::new();

/// Starts the socket room when the program makes its first socket: never from the loader.
pub(crate) fn start() {
    START.call_once(|| told(room::start));
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
    if START.is_completed() {
        told(room::before_exit);
    }
    // SAFETY: no memory is involved.
    unsafe { real::ExitProcess(status) }
}

/// A child that inherits handles may use the sockets among them, so they move back.
fn before_child(inherit: i32) {
    if inherit != 0 && START.is_completed() {
        told(room::before_spawn);
    }
}

pub(crate) unsafe extern "system" fn CreateProcessA(
    name: *const u8,
    line: *mut u8,
    security: *const c_void,
    thread_security: *const c_void,
    inherit: i32,
    flags: u32,
    environment: *const c_void,
    directory: *const u8,
    start: *const c_void,
    info: *mut c_void,
) -> i32 {
    before_child(inherit);
    // SAFETY: the program's arguments.
    unsafe {
        real::CreateProcessA(name, line, security, thread_security, inherit, flags, environment, directory, start, info)
    }
}

pub(crate) unsafe extern "system" fn CreateProcessW(
    name: *const u16,
    line: *mut u16,
    security: *const c_void,
    thread_security: *const c_void,
    inherit: i32,
    flags: u32,
    environment: *const c_void,
    directory: *const u16,
    start: *const c_void,
    info: *mut c_void,
) -> i32 {
    before_child(inherit);
    // SAFETY: the program's arguments.
    unsafe {
        real::CreateProcessW(name, line, security, thread_security, inherit, flags, environment, directory, start, info)
    }
}
