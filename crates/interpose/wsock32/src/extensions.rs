//! Functions that programs ask a provider for (`SIO_GET_EXTENSION_FUNCTION_POINTER`) or take from mswsock, and files' calls on
//! sockets, to which belong completion ports: all of them carry data in ways that are the kernel's, or end later, which the
//! kernel tells. The stream moves back before them.
//!
//! `AcceptEx` and `ConnectEx` are left alone: what they connect is never seen to be connected, and stays on the kernel road.

use crate::lifecycle::move_back;
use crate::real::{Symbol, real};
use core::ffi::c_void;
use core::ptr::null_mut;
use vmmc_protocol::Reason;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Networking::WinSock::{
    SOCKET, WSAID_DISCONNECTEX, WSAID_TRANSMITFILE, WSAID_TRANSMITPACKETS, WSAID_WSARECVMSG, WSAID_WSASENDMSG,
};
use windows_sys::core::GUID;

/// `preceded! { Extensions fn TransmitFile(socket: SOCKET, ...) -> i32 = 0; }`: ours moves its first argument back and then calls the
/// system's.
macro_rules! preceded {
    ($($library:ident fn $name:ident($first:ident: $kind:ty, $($argument:ident: $type:ty),* $(,)?) -> $result:ty = $failure:expr;)*) => {
        real! { $($library fn $name($first: $kind, $($argument: $type),*) -> $result = $failure;)* }
        $(pub(crate) unsafe extern "system" fn $name($first: $kind, $($argument: $type),*) -> $result {
            move_back(AsSocket::socket($first), Reason::KERNEL_FEATURE);
            // SAFETY: the program's arguments.
            unsafe { real::$name($first, $($argument),*) }
        })*
    };
}

preceded! {
    Extensions fn TransmitFile(
        socket: SOCKET, file: HANDLE, len: u32, piece: u32, overlapped: *mut c_void, around: *const c_void, flags: u32,
    ) -> i32 = 0;
    Extensions fn TransmitPackets(
        socket: SOCKET, packets: *const c_void, count: u32, piece: u32, overlapped: *mut c_void, flags: u32,
    ) -> i32 = 0;
    Extensions fn DisconnectEx(socket: SOCKET, overlapped: *mut c_void, flags: u32, reserved: u32) -> i32 = 0;
    Extensions fn WSARecvMsg(
        socket: SOCKET, message: *mut c_void, received: *mut u32, overlapped: *mut c_void, completion: *const c_void,
    ) -> i32 = -1;
    WinSock2 fn WSASendMsg(
        socket: SOCKET, message: *const c_void, flags: u32, sent: *mut u32, overlapped: *mut c_void,
        completion: *const c_void,
    ) -> i32 = -1;
    Kernel fn ReadFile(file: HANDLE, buf: *mut c_void, len: u32, done: *mut u32, overlapped: *mut c_void) -> i32 = 0;
    Kernel fn ReadFileEx(
        file: HANDLE, buf: *mut c_void, len: u32, overlapped: *mut c_void, completion: *const c_void,
    ) -> i32 = 0;
    Kernel fn WriteFile(file: HANDLE, buf: *const c_void, len: u32, done: *mut u32, overlapped: *mut c_void) -> i32 = 0;
    Kernel fn WriteFileEx(
        file: HANDLE, buf: *const c_void, len: u32, overlapped: *mut c_void, completion: *const c_void,
    ) -> i32 = 0;
    Kernel fn _lread(file: i32, buf: *mut c_void, len: u32) -> u32 = u32::MAX;
    Kernel fn _lwrite(file: i32, buf: *const c_void, len: u32) -> u32 = u32::MAX;
    Kernel fn _hread(file: i32, buf: *mut c_void, len: i32) -> i32 = -1;
    Kernel fn _hwrite(file: i32, buf: *const c_void, len: i32) -> i32 = -1;
    Kernel fn CreateIoCompletionPort(file: HANDLE, port: HANDLE, key: usize, threads: u32) -> HANDLE = null_mut();
    Kernel fn BindIoCompletionCallback(file: HANDLE, completion: *const c_void, flags: u32) -> i32 = 0;
    Kernel fn CreateThreadpoolIo(
        file: HANDLE, completion: *const c_void, context: *mut c_void, pool: *const c_void,
    ) -> *mut c_void = null_mut();
}

/// A socket is a handle.
trait AsSocket {
    fn socket(self) -> SOCKET;
}

impl AsSocket for SOCKET {
    fn socket(self) -> SOCKET {
        self
    }
}

impl AsSocket for HANDLE {
    fn socket(self) -> SOCKET {
        self.addr()
    }
}

/// `HFILE`: a handle's low bits.
impl AsSocket for i32 {
    fn socket(self) -> SOCKET {
        self.cast_unsigned() as usize
    }
}

/// What the provider answered when it was asked for the extension `name` becomes ours; it is kept, for ours to call.
pub(crate) fn replace(name: &GUID, place: &mut usize) {
    let known: [(GUID, &Symbol, *const ()); 5] = [
        (WSAID_TRANSMITFILE, &real::symbol::TransmitFile, TransmitFile as *const ()),
        (WSAID_TRANSMITPACKETS, &real::symbol::TransmitPackets, TransmitPackets as *const ()),
        (WSAID_DISCONNECTEX, &real::symbol::DisconnectEx, DisconnectEx as *const ()),
        (WSAID_WSARECVMSG, &real::symbol::WSARecvMsg, WSARecvMsg as *const ()),
        (WSAID_WSASENDMSG, &real::symbol::WSASendMsg, WSASendMsg as *const ()),
    ];
    let words = |guid: &GUID| (guid.data1, guid.data2, guid.data3, guid.data4);
    if let Some((_, symbol, ours)) = known.iter().find(|(known, ..)| words(known) == words(name)) {
        symbol.is(core::mem::replace(place, ours.expose_provenance()));
    }
}
