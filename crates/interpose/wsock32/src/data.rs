//! Calls that move bytes. Those that end later (overlapped) are the kernel's: the stream moves back before them.

use crate::answer::{SOCKET_ERROR, answered, fail};
use crate::arguments::{Pieces, bytes, bytes_mut, number};
use crate::real::real;
use core::ffi::c_void;
use std::io::{IoSlice, IoSliceMut};
use vmmc_os::abi;
use vmmc_protocol::Reason;
use vmmc_socket::data as room;
use vmmc_socket::lifecycle::is_tracked;
use windows_sys::Win32::Networking::WinSock::{
    MSG_DONTROUTE, MSG_OOB, MSG_PEEK, MSG_PUSH_IMMEDIATE, MSG_WAITALL, SOCKADDR, SOCKET, WSABUF, WSAEFAULT,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

/// `LPWSAOVERLAPPED_COMPLETION_ROUTINE`; never called here.
pub(crate) type Completion = *const c_void;

real! {
    WinSock2 fn send(socket: SOCKET, buf: *const u8, len: i32, flags: i32) -> i32 = SOCKET_ERROR;
    WinSock2 fn recv(socket: SOCKET, buf: *mut u8, len: i32, flags: i32) -> i32 = SOCKET_ERROR;
    WinSock2 fn sendto(
        socket: SOCKET, buf: *const u8, len: i32, flags: i32, address: *const SOCKADDR, address_len: i32,
    ) -> i32 = SOCKET_ERROR;
    WinSock2 fn recvfrom(
        socket: SOCKET, buf: *mut u8, len: i32, flags: i32, address: *mut SOCKADDR, address_len: *mut i32,
    ) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSASend(
        socket: SOCKET, buffers: *const WSABUF, count: u32, sent: *mut u32, flags: u32, overlapped: *mut OVERLAPPED,
        completion: Completion,
    ) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSARecv(
        socket: SOCKET, buffers: *const WSABUF, count: u32, received: *mut u32, flags: *mut u32,
        overlapped: *mut OVERLAPPED, completion: Completion,
    ) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSASendTo(
        socket: SOCKET, buffers: *const WSABUF, count: u32, sent: *mut u32, flags: u32, address: *const SOCKADDR,
        address_len: i32, overlapped: *mut OVERLAPPED, completion: Completion,
    ) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSARecvFrom(
        socket: SOCKET, buffers: *const WSABUF, count: u32, received: *mut u32, flags: *mut u32,
        address: *mut SOCKADDR, address_len: *mut i32, overlapped: *mut OVERLAPPED, completion: Completion,
    ) -> i32 = SOCKET_ERROR;
    Extensions fn WSARecvEx(socket: SOCKET, buf: *mut u8, len: i32, flags: *mut i32) -> i32 = SOCKET_ERROR;
}

/// Wine has this one in its wsock32.dll alone; Windows' forwards it to where programs may have it from as well.
mod first {
    use crate::answer::SOCKET_ERROR;
    use crate::real::real;
    use windows_sys::Win32::Networking::WinSock::SOCKET;

    real! {
        WinSock1 fn WSARecvEx(socket: SOCKET, buf: *mut u8, len: i32, flags: *mut i32) -> i32 = SOCKET_ERROR;
    }
}

/// Flags of a send that mean nothing to a connection on this host.
const SEND_FLAGS: i32 = MSG_DONTROUTE;
/// Flags of a receive that the socket room knows, or that ask for what it does anyhow.
const RECV_FLAGS: i32 = MSG_PEEK | MSG_WAITALL | MSG_PUSH_IMMEDIATE;

/// Whether a call on `socket` with `flags` is for the socket room. If only the kernel can do it, the stream moves back here.
#[inline]
fn rings(socket: SOCKET, flags: i32, known: i32) -> bool {
    is_tracked(number(socket)) && (flags & !known == 0 || leave_for(socket, flags))
}

#[cold]
fn leave_for(socket: SOCKET, flags: i32) -> bool {
    let urgent = flags & MSG_OOB != 0;
    crate::lifecycle::move_back(socket, if urgent { Reason::URGENT_DATA } else { Reason::KERNEL_FEATURE });
    false
}

/// The socket room's send; `None` if the call is the system's.
#[inline]
fn sent(socket: SOCKET, pieces: &[IoSlice<'_>]) -> Option<i32> {
    answered(room::send(number(socket), pieces, 0))
}

/// The socket room's receive; `None` if the call is the system's.
#[inline]
fn received(socket: SOCKET, pieces: &mut [IoSliceMut<'_>], flags: i32) -> Option<i32> {
    let asked_for = |theirs, ours| if flags & theirs != 0 { ours } else { 0 };
    let flags = asked_for(MSG_PEEK, abi::MSG_PEEK) | asked_for(MSG_WAITALL, abi::MSG_WAITALL);
    answered(room::recv(number(socket), pieces, flags))
}

/// A receive of no bytes waits until there is one, or an end or an error.
#[cold]
fn awaited(socket: SOCKET) -> Option<i32> {
    received(socket, &mut [IoSliceMut::new(&mut [0])], MSG_PEEK).map(|result| result.min(0))
}

/// A receive into one buffer.
#[inline]
unsafe fn received_at(socket: SOCKET, buf: *mut u8, len: i32, flags: i32) -> Option<i32> {
    if !rings(socket, flags, RECV_FLAGS) {
        return None;
    }
    // SAFETY: the program's arguments.
    match unsafe { bytes_mut(buf, len) } {
        Some(place) => received(socket, &mut [IoSliceMut::new(place)], flags),
        None if len == 0 => awaited(socket),
        None => None,
    }
}

pub(crate) unsafe extern "system" fn send(socket: SOCKET, buf: *const u8, len: i32, flags: i32) -> i32 {
    if rings(socket, flags, SEND_FLAGS)
        // SAFETY: the program's arguments.
        && let Some(data) = unsafe { bytes(buf, len) }
        && let Some(result) = sent(socket, &[IoSlice::new(data)])
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::send(socket, buf, len, flags) }
}

pub(crate) unsafe extern "system" fn recv(socket: SOCKET, buf: *mut u8, len: i32, flags: i32) -> i32 {
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { received_at(socket, buf, len, flags) } {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::recv(socket, buf, len, flags) }
}

/// A connection ignores the address.
pub(crate) unsafe extern "system" fn sendto(
    socket: SOCKET,
    buf: *const u8,
    len: i32,
    flags: i32,
    address: *const SOCKADDR,
    address_len: i32,
) -> i32 {
    if rings(socket, flags, SEND_FLAGS)
        // SAFETY: the program's arguments.
        && let Some(data) = unsafe { bytes(buf, len) }
        && let Some(result) = sent(socket, &[IoSlice::new(data)])
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::sendto(socket, buf, len, flags, address, address_len) }
}

/// A connection's receive leaves the address alone.
pub(crate) unsafe extern "system" fn recvfrom(
    socket: SOCKET,
    buf: *mut u8,
    len: i32,
    flags: i32,
    address: *mut SOCKADDR,
    address_len: *mut i32,
) -> i32 {
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { received_at(socket, buf, len, flags) } {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::recvfrom(socket, buf, len, flags, address, address_len) }
}

/// The flags come by pointer and would tell of a partial datagram, which a stream does not have.
pub(crate) unsafe extern "system" fn WSARecvEx(socket: SOCKET, buf: *mut u8, len: i32, flags: *mut i32) -> i32 {
    // SAFETY: null or the program's.
    if let Some(given) = unsafe { flags.as_ref() }
        // SAFETY: the program's arguments.
        && let Some(result) = unsafe { received_at(socket, buf, len, *given) }
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { first::real::WSARecvEx(socket, buf, len, flags) }
}

/// Whether a call on `socket` is over when it returns. If it may end later, the stream moves back here.
#[inline]
fn ends_at_once(socket: SOCKET, overlapped: *mut OVERLAPPED) -> bool {
    if overlapped.is_null() {
        return true;
    }
    crate::lifecycle::move_back(socket, Reason::KERNEL_FEATURE);
    false
}

/// Puts a count where WSASend and its like want it; the call's result.
unsafe fn counted(result: i32, place: *mut u32) -> i32 {
    let Ok(count) = u32::try_from(result) else { return result };
    if place.is_null() {
        return fail(WSAEFAULT);
    }
    // SAFETY: not null; the program's to be written.
    unsafe { place.write_unaligned(count) };
    0
}

unsafe fn sent_gathered(
    socket: SOCKET,
    buffers: *const WSABUF,
    count: u32,
    place: *mut u32,
    flags: u32,
    overlapped: *mut OVERLAPPED,
) -> Option<i32> {
    let flags = flags.cast_signed();
    if !is_tracked(number(socket)) || !ends_at_once(socket, overlapped) || !rings(socket, flags, SEND_FLAGS) {
        return None;
    }
    // SAFETY: the program's arguments.
    let pieces = unsafe { Pieces::new(buffers, count) }.filter(|pieces| !pieces.is_empty() && !place.is_null())?;
    let result = sent(socket, pieces.as_slices())?;
    // SAFETY: the program's arguments.
    Some(unsafe { counted(result, place) })
}

unsafe fn received_scattered(
    socket: SOCKET,
    buffers: *const WSABUF,
    count: u32,
    place: *mut u32,
    flags: *mut u32,
    overlapped: *mut OVERLAPPED,
) -> Option<i32> {
    // SAFETY: null or the program's.
    let given = unsafe { flags.as_ref() }?.cast_signed();
    if !is_tracked(number(socket)) || !ends_at_once(socket, overlapped) || !rings(socket, given, RECV_FLAGS) {
        return None;
    }
    // SAFETY: the program's arguments.
    let mut pieces = unsafe { Pieces::new(buffers, count) }.filter(|_| !place.is_null())?;
    let result = if pieces.is_empty() { awaited(socket) } else { received(socket, pieces.as_slices_mut(), given) }?;
    if result >= 0 {
        // SAFETY: not null by the test above; what comes out says that nothing was cut off.
        unsafe { *flags = 0 };
    }
    // SAFETY: the program's arguments.
    Some(unsafe { counted(result, place) })
}

pub(crate) unsafe extern "system" fn WSASend(
    socket: SOCKET,
    buffers: *const WSABUF,
    count: u32,
    sent: *mut u32,
    flags: u32,
    overlapped: *mut OVERLAPPED,
    completion: Completion,
) -> i32 {
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { sent_gathered(socket, buffers, count, sent, flags, overlapped) } {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::WSASend(socket, buffers, count, sent, flags, overlapped, completion) }
}

pub(crate) unsafe extern "system" fn WSARecv(
    socket: SOCKET,
    buffers: *const WSABUF,
    count: u32,
    received: *mut u32,
    flags: *mut u32,
    overlapped: *mut OVERLAPPED,
    completion: Completion,
) -> i32 {
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { received_scattered(socket, buffers, count, received, flags, overlapped) } {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::WSARecv(socket, buffers, count, received, flags, overlapped, completion) }
}

/// A connection ignores the address.
pub(crate) unsafe extern "system" fn WSASendTo(
    socket: SOCKET,
    buffers: *const WSABUF,
    count: u32,
    sent: *mut u32,
    flags: u32,
    address: *const SOCKADDR,
    address_len: i32,
    overlapped: *mut OVERLAPPED,
    completion: Completion,
) -> i32 {
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { sent_gathered(socket, buffers, count, sent, flags, overlapped) } {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::WSASendTo(socket, buffers, count, sent, flags, address, address_len, overlapped, completion) }
}

/// A connection's receive leaves the address alone.
pub(crate) unsafe extern "system" fn WSARecvFrom(
    socket: SOCKET,
    buffers: *const WSABUF,
    count: u32,
    received: *mut u32,
    flags: *mut u32,
    address: *mut SOCKADDR,
    address_len: *mut i32,
    overlapped: *mut OVERLAPPED,
    completion: Completion,
) -> i32 {
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { received_scattered(socket, buffers, count, received, flags, overlapped) } {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::WSARecvFrom(socket, buffers, count, received, flags, address, address_len, overlapped, completion) }
}
