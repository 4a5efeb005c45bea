//! Sockets come, are connected, are passed on, and go.

use crate::answer::{SOCKET_ERROR, asked, error, told};
use crate::arguments::number;
use crate::notices;
use crate::real::real;
use core::ffi::c_void;
use vmmc_os::abi;
use vmmc_protocol::Reason;
use vmmc_socket::lifecycle as room;
use vmmc_socket::lifecycle::is_tracked;
use vmmc_socket::options::is_nonblocking;
use windows_sys::Win32::Foundation::{DUPLICATE_CLOSE_SOURCE, HANDLE};
use windows_sys::Win32::Networking::WinSock::{
    INVALID_SOCKET, SD_RECEIVE, SD_SEND, SO_OPENTYPE, SOCKADDR, SOCKET, SOL_SOCKET, WSA_FLAG_OVERLAPPED,
    WSA_FLAG_REGISTERED_IO, WSABUF,
};

real! {
    WinSock2 fn socket(family: i32, kind: i32, protocol: i32) -> SOCKET = INVALID_SOCKET;
    WinSock2 fn WSASocketA(
        family: i32, kind: i32, protocol: i32, info: *const c_void, group: u32, flags: u32,
    ) -> SOCKET = INVALID_SOCKET;
    WinSock2 fn WSASocketW(
        family: i32, kind: i32, protocol: i32, info: *const c_void, group: u32, flags: u32,
    ) -> SOCKET = INVALID_SOCKET;
    WinSock2 fn connect(socket: SOCKET, address: *const SOCKADDR, len: i32) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSAConnect(
        socket: SOCKET, address: *const SOCKADDR, len: i32, caller: *const WSABUF, callee: *mut WSABUF,
        quality: *const c_void, group_quality: *const c_void,
    ) -> i32 = SOCKET_ERROR;
    WinSock2 fn listen(socket: SOCKET, backlog: i32) -> i32 = SOCKET_ERROR;
    WinSock2 fn accept(socket: SOCKET, address: *mut SOCKADDR, len: *mut i32) -> SOCKET = INVALID_SOCKET;
    WinSock2 fn WSAAccept(
        socket: SOCKET, address: *mut SOCKADDR, len: *mut i32, condition: *const c_void, data: usize,
    ) -> SOCKET = INVALID_SOCKET;
    WinSock2 fn closesocket(socket: SOCKET) -> i32 = SOCKET_ERROR;
    WinSock2 fn shutdown(socket: SOCKET, how: i32) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSASendDisconnect(socket: SOCKET, data: *const WSABUF) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSARecvDisconnect(socket: SOCKET, data: *mut WSABUF) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSADuplicateSocketA(socket: SOCKET, process: u32, info: *mut c_void) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSADuplicateSocketW(socket: SOCKET, process: u32, info: *mut c_void) -> i32 = SOCKET_ERROR;
    Kernel fn CloseHandle(handle: HANDLE) -> i32 = 0;
    Kernel fn DuplicateHandle(
        from: HANDLE, handle: HANDLE, to: HANDLE, new: *mut HANDLE, access: u32, inherit: i32, options: u32,
    ) -> i32 = 0;
    Kernel fn _lclose(file: i32) -> i32 = SOCKET_ERROR;
}

/// What `GetCurrentProcess` returns.
const CURRENT_PROCESS: HANDLE = core::ptr::without_provenance_mut(usize::MAX);

/// Moves `socket` to the kernel road for good, if it is a connection, or will be one.
#[inline]
pub(crate) fn move_back(socket: SOCKET, reason: Reason) {
    if is_tracked(number(socket)) {
        told(|| room::move_back(number(socket), reason));
    }
}

/// A new socket. The socket room gets those that were made overlapped, for on others it could not say "do not wait".
fn opened(socket: SOCKET, family: i32, kind: i32, protocol: i32, overlapped: bool) -> SOCKET {
    if socket != INVALID_SOCKET {
        crate::process::start();
        told(|| {
            if overlapped { room::opened(number(socket), family, kind, protocol) } else { room::made(number(socket)) }
        });
    }
    socket
}

/// Whether this thread's sockets are made overlapped; `SO_OPENTYPE` says otherwise.
fn makes_overlapped() -> bool {
    let (mut kind, mut len) = (0_i32, size_of::<i32>() as i32);
    let before = error();
    // SAFETY: the value and its length are ours. The option is the thread's and belongs to no socket.
    let result = unsafe {
        crate::options::real::getsockopt(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, (&raw mut kind).cast(), &raw mut len)
    };
    crate::answer::set_error(before);
    result != 0 || kind == 0
}

pub(crate) unsafe extern "system" fn socket(family: i32, kind: i32, protocol: i32) -> SOCKET {
    // SAFETY: no memory is involved.
    let socket = unsafe { real::socket(family, kind, protocol) };
    opened(socket, family, kind, protocol, makes_overlapped())
}

/// One with a description may be another process's; what is registered is sent and received by calls that nobody sees.
fn is_ordinary(flags: u32, info: *const c_void) -> bool {
    flags & (WSA_FLAG_OVERLAPPED | WSA_FLAG_REGISTERED_IO) == WSA_FLAG_OVERLAPPED && info.is_null()
}

pub(crate) unsafe extern "system" fn WSASocketA(
    family: i32,
    kind: i32,
    protocol: i32,
    info: *const c_void,
    group: u32,
    flags: u32,
) -> SOCKET {
    // SAFETY: the program's arguments.
    let socket = unsafe { real::WSASocketA(family, kind, protocol, info, group, flags) };
    opened(socket, family, kind, protocol, is_ordinary(flags, info))
}

pub(crate) unsafe extern "system" fn WSASocketW(
    family: i32,
    kind: i32,
    protocol: i32,
    info: *const c_void,
    group: u32,
    flags: u32,
) -> SOCKET {
    // SAFETY: the program's arguments.
    let socket = unsafe { real::WSASocketW(family, kind, protocol, info, group, flags) };
    opened(socket, family, kind, protocol, is_ordinary(flags, info))
}

/// Tells how a connect ended.
fn connected(socket: SOCKET, result: i32) -> i32 {
    if is_tracked(number(socket)) {
        let outcome = if result == 0 { 0 } else { error().cast_signed() };
        told(|| room::connected(number(socket), outcome));
    }
    result
}

pub(crate) unsafe extern "system" fn connect(socket: SOCKET, address: *const SOCKADDR, len: i32) -> i32 {
    // SAFETY: the program's arguments.
    connected(socket, unsafe { real::connect(socket, address, len) })
}

pub(crate) unsafe extern "system" fn WSAConnect(
    socket: SOCKET,
    address: *const SOCKADDR,
    len: i32,
    caller: *const WSABUF,
    callee: *mut WSABUF,
    quality: *const c_void,
    group_quality: *const c_void,
) -> i32 {
    // SAFETY: the program's arguments.
    connected(socket, unsafe { real::WSAConnect(socket, address, len, caller, callee, quality, group_quality) })
}

pub(crate) unsafe extern "system" fn listen(socket: SOCKET, backlog: i32) -> i32 {
    // SAFETY: no memory is involved.
    let result = unsafe { real::listen(socket, backlog) };
    if result == 0 {
        told(|| room::listening(number(socket)));
    }
    result
}

/// A new connection; it has its listener's mode and window messages.
fn accepted(listener: SOCKET, socket: SOCKET) -> SOCKET {
    if socket != INVALID_SOCKET {
        let flags = if is_nonblocking(number(listener)) { abi::SOCK_NONBLOCK } else { 0 };
        told(|| {
            room::accepted(number(listener), number(socket), flags);
            notices::inherited(listener, socket);
        });
    }
    socket
}

pub(crate) unsafe extern "system" fn accept(listener: SOCKET, address: *mut SOCKADDR, len: *mut i32) -> SOCKET {
    // SAFETY: the program's arguments.
    accepted(listener, unsafe { real::accept(listener, address, len) })
}

pub(crate) unsafe extern "system" fn WSAAccept(
    listener: SOCKET,
    address: *mut SOCKADDR,
    len: *mut i32,
    condition: *const c_void,
    data: usize,
) -> SOCKET {
    // SAFETY: the program's arguments.
    accepted(listener, unsafe { real::WSAAccept(listener, address, len, condition, data) })
}

/// Before the system closes a socket.
pub(crate) fn closing(socket: SOCKET) -> Option<i32> {
    notices::forget(socket);
    asked(|| room::before_close(number(socket)))
}

pub(crate) unsafe extern "system" fn closesocket(socket: SOCKET) -> i32 {
    if let Some(result) = closing(socket) {
        return result;
    }
    // SAFETY: no memory is involved.
    unsafe { real::closesocket(socket) }
}

/// Before a handle is closed that may be a socket; whether that is done already. The library's own handles are not the program's.
fn closing_handle(handle: SOCKET) -> bool {
    let is_ours = is_tracked(number(handle)) || room::is_internal(number(handle));
    is_ours && closing(handle).is_some()
}

/// Programs close sockets by this as well.
pub(crate) unsafe extern "system" fn CloseHandle(handle: HANDLE) -> i32 {
    // SAFETY: no memory is involved.
    if closing_handle(handle.addr()) { 1 } else { unsafe { real::CloseHandle(handle) } }
}

/// The same under the name that it had on 16-bit Windows.
pub(crate) unsafe extern "system" fn _lclose(file: i32) -> i32 {
    // SAFETY: no memory is involved.
    if closing_handle(file.cast_unsigned() as usize) { 0 } else { unsafe { real::_lclose(file) } }
}

pub(crate) unsafe extern "system" fn shutdown(socket: SOCKET, how: i32) -> i32 {
    if let Some(result) = asked(|| vmmc_socket::options::shutdown(number(socket), how)) {
        return result;
    }
    // SAFETY: no memory is involved.
    unsafe { real::shutdown(socket, how) }
}

/// TCP sends no data with it; so it is a half-close.
pub(crate) unsafe extern "system" fn WSASendDisconnect(socket: SOCKET, data: *const WSABUF) -> i32 {
    if data.is_null()
        && let Some(result) = asked(|| vmmc_socket::options::shutdown(number(socket), SD_SEND))
    {
        return result;
    }
    move_back(socket, Reason::KERNEL_FEATURE);
    // SAFETY: the program's arguments.
    unsafe { real::WSASendDisconnect(socket, data) }
}

/// As above, for the other side.
pub(crate) unsafe extern "system" fn WSARecvDisconnect(socket: SOCKET, data: *mut WSABUF) -> i32 {
    if data.is_null()
        && let Some(result) = asked(|| vmmc_socket::options::shutdown(number(socket), SD_RECEIVE))
    {
        return result;
    }
    move_back(socket, Reason::KERNEL_FEATURE);
    // SAFETY: the program's arguments.
    unsafe { real::WSARecvDisconnect(socket, data) }
}

pub(crate) unsafe extern "system" fn WSADuplicateSocketA(socket: SOCKET, process: u32, info: *mut c_void) -> i32 {
    move_back(socket, Reason::DESCRIPTOR_PASSED);
    // SAFETY: the program's arguments.
    unsafe { real::WSADuplicateSocketA(socket, process, info) }
}

pub(crate) unsafe extern "system" fn WSADuplicateSocketW(socket: SOCKET, process: u32, info: *mut c_void) -> i32 {
    move_back(socket, Reason::DESCRIPTOR_PASSED);
    // SAFETY: the program's arguments.
    unsafe { real::WSADuplicateSocketW(socket, process, info) }
}

/// The copy may be another process's, or closed or used past us; both stay on the kernel road.
pub(crate) unsafe extern "system" fn DuplicateHandle(
    from: HANDLE,
    handle: HANDLE,
    to: HANDLE,
    new: *mut HANDLE,
    access: u32,
    inherit: i32,
    options: u32,
) -> i32 {
    // The handle may be another process's, with the number of a socket of ours; then a connection loses its road, and no more.
    move_back(handle.addr(), Reason::DESCRIPTOR_PASSED);
    // SAFETY: the program's arguments.
    let result = unsafe { real::DuplicateHandle(from, handle, to, new, access, inherit, options) };
    if from == CURRENT_PROCESS && options & DUPLICATE_CLOSE_SOURCE != 0 {
        told(|| room::made(number(handle.addr())));
    }
    result
}
