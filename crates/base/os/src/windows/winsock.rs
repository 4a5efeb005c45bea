//! Functions of the system's DLLs, resolved by name once, without imports.
use core::ffi::CStr;
use vmmc_sync::{AtomicUsize, Ordering};
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress, LoadLibraryW};
use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;
use windows_sys::core::w;

/// One of the system's DLLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dll {
    /// ws2_32.dll in the system's directory, whatever stands beside the program under that name.
    WinSock,
    /// ntdll.dll.
    Ntdll,
}

const MISSING: usize = 1;

/// A function by its name; found at its first use.
#[derive(Debug)]
pub struct Symbol {
    dll: Dll,
    name: &'static CStr,
    /// 0: not looked for yet; [`MISSING`]; or the address.
    address: AtomicUsize,
}

impl Symbol {
    /// The function `name` of `dll`.
    #[must_use]
    pub const fn new(dll: Dll, name: &'static CStr) -> Self {
        Self { dll, name, address: AtomicUsize::new(0) }
    }

    /// The function, if the system has it.
    ///
    /// # Safety
    /// `F` is the type of a function pointer with this function's signature.
    #[must_use]
    pub unsafe fn get<F: Copy>(&self) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<usize>()) };
        let address = match self.address.load(Ordering::Acquire) {
            0 => self.find(),
            known => known,
        };
        // SAFETY: an address that GetProcAddress gave, of a DLL that is never unloaded; the caller vouches for the type.
        (address != MISSING).then(|| unsafe { core::mem::transmute_copy(&address) })
    }

    #[cold]
    fn find(&self) -> usize {
        let module = match self.dll {
            Dll::WinSock => system_winsock(),
            // SAFETY: the name is a string with its NUL; ntdll is in every process.
            Dll::Ntdll => unsafe { GetModuleHandleW(w!("ntdll.dll")) },
        };
        // SAFETY: the name is a string with its NUL; a null module is refused.
        let found = unsafe { GetProcAddress(module, self.name.as_ptr().cast()) };
        let address = found.map_or(MISSING, |function| function as usize);
        self.address.store(address, Ordering::Release);
        address
    }
}

/// The system's ws2_32.dll, loaded by its whole path: by its bare name we could get a wrapper.
fn system_winsock() -> HMODULE {
    const NAME: [u16; 12] = [
        b'\\' as u16,
        b'w' as u16,
        b's' as u16,
        b'2' as u16,
        b'_' as u16,
        b'3' as u16,
        b'2' as u16,
        b'.' as u16,
        b'd' as u16,
        b'l' as u16,
        b'l' as u16,
        0,
    ];
    let mut path = [0u16; 272];
    // SAFETY: the call writes at most the length that it is told.
    let len = unsafe { GetSystemDirectoryW(path.as_mut_ptr(), 260) } as usize;
    let Some(end) = path.get_mut(len..len + NAME.len()).filter(|_| len > 0) else { return core::ptr::null_mut() };
    end.copy_from_slice(&NAME);
    // SAFETY: the path ends with a NUL.
    unsafe { LoadLibraryW(path.as_ptr()) }
}

/// Declares a function of the system's ws2_32 that is called by pointer.
macro_rules! winsock_functions {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal ($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// As its manual page demands of its arguments.
        pub(crate) unsafe fn $name($($argument: $kind),*) -> $result {
            static SYMBOL: Symbol = Symbol::new(Dll::WinSock, $symbol);
            type Function = unsafe extern "system" fn($($kind),*) -> $result;
            // SAFETY: ws2_32's function of this name has this signature; the arguments are the caller's promise.
            unsafe {
                match SYMBOL.get::<Function>() {
                    Some(function) => function($($argument),*),
                    None => refuse(),
                }
            }
        }
    )*};
}

/// What every function here returns for a failure.
fn refuse() -> i32 {
    use windows_sys::Win32::Foundation::{ERROR_PROC_NOT_FOUND, SetLastError};
    // SAFETY: it writes a word of the thread's own.
    unsafe { SetLastError(ERROR_PROC_NOT_FOUND) };
    -1
}

use core::ffi::c_void;
use windows_sys::Win32::Networking::WinSock::{SOCKET, WSABUF, WSAPOLLFD};
use windows_sys::Win32::System::IO::OVERLAPPED;

winsock_functions! {
    /// recv.
    recv = c"recv" (socket: SOCKET, buf: *mut u8, len: i32, flags: i32) -> i32;
    /// send.
    send = c"send" (socket: SOCKET, buf: *const u8, len: i32, flags: i32) -> i32;
    /// WSARecv without a completion routine.
    wsa_recv = c"WSARecv" (
        socket: SOCKET, bufs: *const WSABUF, count: u32, done: *mut u32, flags: *mut u32, overlapped: *mut OVERLAPPED,
        routine: *const c_void
    ) -> i32;
    /// WSASend without a completion routine.
    wsa_send = c"WSASend" (
        socket: SOCKET, bufs: *const WSABUF, count: u32, done: *mut u32, flags: u32, overlapped: *mut OVERLAPPED,
        routine: *const c_void
    ) -> i32;
    /// WSAGetOverlappedResult.
    overlapped_result = c"WSAGetOverlappedResult" (socket: SOCKET, overlapped: *const OVERLAPPED, done: *mut u32, wait: i32, flags: *mut u32) -> i32;
    /// shutdown.
    shutdown = c"shutdown" (socket: SOCKET, how: i32) -> i32;
    /// ioctlsocket.
    ioctlsocket = c"ioctlsocket" (socket: SOCKET, command: i32, argument: *mut u32) -> i32;
    /// setsockopt.
    setsockopt = c"setsockopt" (socket: SOCKET, level: i32, name: i32, value: *const u8, len: i32) -> i32;
    /// getsockopt.
    getsockopt = c"getsockopt" (socket: SOCKET, level: i32, name: i32, value: *mut u8, len: *mut i32) -> i32;
    /// getsockname.
    getsockname = c"getsockname" (socket: SOCKET, address: *mut u8, len: *mut i32) -> i32;
    /// getpeername.
    getpeername = c"getpeername" (socket: SOCKET, address: *mut u8, len: *mut i32) -> i32;
    /// WSAPoll.
    wsa_poll = c"WSAPoll" (fds: *mut WSAPOLLFD, count: u32, milliseconds: i32) -> i32;
    /// select.
    select = c"select" (ignored: i32, read: *mut c_void, write: *mut c_void, except: *mut c_void, limit: *const c_void) -> i32;
}
