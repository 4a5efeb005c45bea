//! Calls that move bytes through one buffer, a vector, or out of a file. Those with a `msghdr` are in `message.rs`.

use crate::answer::{asked, errno, fail, told};
use crate::arguments::{Pieces, bytes, bytes_mut, can_read};
use crate::lifecycle::move_back;
use crate::real::{also, real};
use core::ffi::{c_int, c_void};
use libc::{iovec, off_t, sockaddr, socklen_t, ssize_t};
use std::io::{IoSlice, IoSliceMut};
use vmmc_protocol::Reason;
use vmmc_socket as room;
use vmmc_socket::lifecycle::is_tracked;

real! {
    fn read(fd: c_int, buf: *mut c_void, count: usize) -> ssize_t;
    fn write(fd: c_int, buf: *const c_void, count: usize) -> ssize_t;
    fn readv(fd: c_int, vector: *const iovec, count: c_int) -> ssize_t;
    fn writev(fd: c_int, vector: *const iovec, count: c_int) -> ssize_t;
    fn preadv2(fd: c_int, vector: *const iovec, count: c_int, offset: off_t, flags: c_int) -> ssize_t;
    fn pwritev2(fd: c_int, vector: *const iovec, count: c_int, offset: off_t, flags: c_int) -> ssize_t;
    fn recv(fd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> ssize_t;
    fn recvfrom(
        fd: c_int, buf: *mut c_void, len: usize, flags: c_int, address: *mut sockaddr, address_len: *mut socklen_t,
    ) -> ssize_t;
    fn send(fd: c_int, buf: *const c_void, len: usize, flags: c_int) -> ssize_t;
    fn sendto(
        fd: c_int, buf: *const c_void, len: usize, flags: c_int, address: *const sockaddr, address_len: socklen_t,
    ) -> ssize_t;
    fn __read_chk(fd: c_int, buf: *mut c_void, count: usize, capacity: usize) -> ssize_t;
    fn __recv_chk(fd: c_int, buf: *mut c_void, len: usize, capacity: usize, flags: c_int) -> ssize_t;
    fn __recvfrom_chk(
        fd: c_int, buf: *mut c_void, len: usize, capacity: usize, flags: c_int, address: *mut sockaddr,
        address_len: *mut socklen_t,
    ) -> ssize_t;
    fn sendfile(out: c_int, input: c_int, offset: *mut off_t, count: usize) -> ssize_t;
    fn splice(
        input: c_int, input_offset: *mut i64, out: c_int, out_offset: *mut i64, len: usize, flags: u32,
    ) -> ssize_t;
}

/// Flags of send(2) that the socket room knows, or that mean nothing to TCP.
const SEND_FLAGS: c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | libc::MSG_MORE | libc::MSG_EOR | libc::MSG_CONFIRM;
/// Likewise of recv(2); it is also what `recvmmsg` may add.
const RECV_FLAGS: c_int = libc::MSG_DONTWAIT
    | libc::MSG_WAITALL
    | libc::MSG_PEEK
    | libc::MSG_TRUNC
    | libc::MSG_NOSIGNAL
    | libc::MSG_CMSG_CLOEXEC
    | libc::MSG_WAITFORONE;
/// They concern no byte of the stream, or a connection that is not yet one.
const BESIDE_STREAM: c_int = libc::MSG_ERRQUEUE | libc::MSG_FASTOPEN;
/// They are received past the stream: urgent data is on the kernel road only, where its sender has moved, and a receiver that
/// moved back as well would read past its mark.
const RECEIVED_BESIDE: c_int = BESIDE_STREAM | libc::MSG_OOB;
/// The kernel refuses a longer address (`struct sockaddr_storage`).
const ADDRESS_MAX: socklen_t = 128;

/// Whether a call on `fd` with `flags` is for the socket room. If only the kernel can do it, the stream moves back here,
/// unless it is `beside` the stream.
#[inline]
fn rings(fd: c_int, flags: c_int, known: c_int, beside: c_int) -> bool {
    is_tracked(fd) && (flags & !known == 0 || leave_for(fd, flags, beside))
}

#[cold]
fn leave_for(fd: c_int, flags: c_int, beside: c_int) -> bool {
    if flags & beside == 0 {
        let is_urgent = flags & libc::MSG_OOB != 0;
        move_back(fd, if is_urgent { Reason::URGENT_DATA } else { Reason::KERNEL_FEATURE });
    } else if flags & libc::MSG_OOB != 0 {
        told(|| room::options::before_urgent(fd));
    }
    false
}

/// As [`rings`], for what sends.
#[inline]
pub(crate) fn sends(fd: c_int, flags: c_int) -> bool {
    rings(fd, flags, SEND_FLAGS, BESIDE_STREAM)
}

/// As [`rings`], for what receives.
#[inline]
pub(crate) fn receives(fd: c_int, flags: c_int) -> bool {
    rings(fd, flags, RECV_FLAGS, RECEIVED_BESIDE)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn read(fd: c_int, buf: *mut c_void, count: usize) -> ssize_t {
    if count != 0
        // SAFETY: the program's arguments.
        && let Some(result) = unsafe { received(fd, buf, count, 0) }
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::read(fd, buf, count) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn write(fd: c_int, buf: *const c_void, count: usize) -> ssize_t {
    if is_tracked(fd)
        // SAFETY: the program's arguments.
        && let Some(data) = unsafe { bytes(buf, count) }
        && let Some(result) = asked(|| room::data::send(fd, &[IoSlice::new(data)], 0))
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::write(fd, buf, count) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn readv(fd: c_int, vector: *const iovec, count: c_int) -> ssize_t {
    if is_tracked(fd)
        // SAFETY: the program's arguments.
        && let Some(mut pieces) = usize::try_from(count).ok().and_then(|count| unsafe { Pieces::some(vector, count) })
        && let Some(result) = received_pieces(fd, &mut pieces, 0)
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::readv(fd, vector, count) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn writev(fd: c_int, vector: *const iovec, count: c_int) -> ssize_t {
    if is_tracked(fd)
        // SAFETY: the program's arguments.
        && let Some(pieces) = usize::try_from(count).ok().and_then(|count| unsafe { Pieces::some(vector, count) })
        && let Some(result) = sent_pieces(fd, &pieces, 0)
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::writev(fd, vector, count) }
}

/// With offset -1 it is `readv`; a socket refuses any other.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn preadv2(
    fd: c_int,
    vector: *const iovec,
    count: c_int,
    offset: off_t,
    flags: c_int,
) -> ssize_t {
    if offset == -1
        && let Some(message_flags) = vector_flags(fd, flags)
        // SAFETY: the program's arguments.
        && let Some(mut pieces) = usize::try_from(count).ok().and_then(|count| unsafe { Pieces::some(vector, count) })
        && let Some(result) = received_pieces(fd, &mut pieces, message_flags)
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::preadv2(fd, vector, count, offset, flags) }
}

/// With offset -1 it is `writev`; a socket refuses any other.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwritev2(
    fd: c_int,
    vector: *const iovec,
    count: c_int,
    offset: off_t,
    flags: c_int,
) -> ssize_t {
    if offset == -1
        && let Some(message_flags) = vector_flags(fd, flags)
        // SAFETY: the program's arguments.
        && let Some(pieces) = usize::try_from(count).ok().and_then(|count| unsafe { Pieces::some(vector, count) })
        && let Some(result) = sent_pieces(fd, &pieces, message_flags)
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::pwritev2(fd, vector, count, offset, flags) }
}

/// `RWF_*` as `MSG_*`; `None` if the call is the kernel's.
fn vector_flags(fd: c_int, flags: c_int) -> Option<c_int> {
    match flags {
        _ if !is_tracked(fd) => None,
        0 => Some(0),
        libc::RWF_NOWAIT => Some(libc::MSG_DONTWAIT),
        _ => {
            move_back(fd, Reason::KERNEL_FEATURE);
            None
        }
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn recv(fd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> ssize_t {
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { received(fd, buf, len, flags) } {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::recv(fd, buf, len, flags) }
}

/// TCP knows no sender's address: the kernel then reports one of no length.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn recvfrom(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    flags: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> ssize_t {
    let tells = !address.is_null() && is_tracked(fd);
    if tells && !can_read(address_len) {
        return fail(libc::EFAULT);
    }
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { received(fd, buf, len, flags) } {
        if result >= 0 && tells {
            // SAFETY: readable by the test above; the program's to be written.
            let given = unsafe { address_len.replace(0) };
            // The kernel looks at it when the data is gone.
            return if given.cast_signed() < 0 { fail(libc::EINVAL) } else { result };
        }
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::recvfrom(fd, buf, len, flags, address, address_len) }
}

/// The socket room's recv(2) into one buffer; `None` if the call is the kernel's.
#[inline(always)]
unsafe fn received(fd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> Option<ssize_t> {
    if !receives(fd, flags) {
        return None;
    }
    // SAFETY: the program's arguments.
    match unsafe { bytes_mut(buf, len) } {
        Some(place) => asked(|| room::data::recv(fd, &mut [IoSliceMut::new(place)], flags)),
        None if len == 0 => awaited(fd, flags),
        None if flags & libc::MSG_TRUNC != 0 => discarded(fd, len, flags),
        None => refused(fd, flags),
    }
}

/// A receive into a place that nobody can have fails once there is something to put there. The kernel would wait for its own
/// queue alone.
#[cold]
fn refused(fd: c_int, flags: c_int) -> Option<ssize_t> {
    let mut byte = [0_u8];
    let result =
        asked(|| room::data::recv(fd, &mut [IoSliceMut::new(&mut byte)], flags & !libc::MSG_WAITALL | libc::MSG_PEEK))?;
    Some(if result > 0 { fail(libc::EFAULT) } else { result })
}

/// The socket room's receive into several places; as far as the first that nobody can have.
pub(crate) fn received_pieces(fd: c_int, pieces: &mut Pieces, flags: c_int) -> Option<ssize_t> {
    match (pieces.is_empty(), pieces.is_cut()) {
        (true, true) => refused(fd, flags),
        (true, false) => awaited(fd, flags),
        _ => asked(|| room::data::recv(fd, pieces.as_slices_mut(), flags)),
    }
}

/// The socket room's send out of several places. With one among them that nobody can have, nothing is sent.
pub(crate) fn sent_pieces(fd: c_int, pieces: &Pieces, flags: c_int) -> Option<ssize_t> {
    if pieces.is_cut() {
        // A socket that cannot send says that first.
        return asked(|| room::data::send(fd, &[], flags))
            .map(|result| if result < 0 { result } else { fail(libc::EFAULT) });
    }
    asked(|| room::data::send(fd, pieces.as_slices(), flags))
}

/// A receive of no bytes waits until there is one, or an end or an error.
#[cold]
fn awaited(fd: c_int, flags: c_int) -> Option<ssize_t> {
    let mut byte = [0_u8];
    let flags = flags & !(libc::MSG_TRUNC | libc::MSG_WAITALL) | libc::MSG_PEEK;
    asked(|| room::data::recv(fd, &mut [IoSliceMut::new(&mut byte)], flags)).map(|result| result.min(0))
}

/// `recv(fd, NULL, len, MSG_TRUNC)`: TCP throws `len` bytes away.
#[cold]
fn discarded(fd: c_int, len: usize, flags: c_int) -> Option<ssize_t> {
    asked(|| room::data::discard(fd, len, flags & !libc::MSG_TRUNC))
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn send(fd: c_int, buf: *const c_void, len: usize, flags: c_int) -> ssize_t {
    if sends(fd, flags)
        // SAFETY: the program's arguments.
        && let Some(data) = unsafe { bytes(buf, len) }
        && let Some(result) = asked(|| room::data::send(fd, &[IoSlice::new(data)], flags))
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::send(fd, buf, len, flags) }
}

/// A connection ignores the address, if it is one.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sendto(
    fd: c_int,
    buf: *const c_void,
    len: usize,
    flags: c_int,
    address: *const sockaddr,
    address_len: socklen_t,
) -> ssize_t {
    if flags & libc::MSG_FASTOPEN != 0 && is_tracked(fd) {
        // SAFETY: the program's arguments.
        let sent = unsafe { real::sendto(fd, buf, len, flags, address, address_len) };
        let failed = if sent < 0 { errno() } else { 0 };
        told(|| room::lifecycle::connected_by_sending(fd, failed, usize::try_from(sent).unwrap_or(0)));
        return sent;
    }
    if (address.is_null() || address_len <= ADDRESS_MAX)
        && sends(fd, flags)
        // SAFETY: the program's arguments.
        && let Some(data) = unsafe { bytes(buf, len) }
        && let Some(result) = asked(|| room::data::send(fd, &[IoSlice::new(data)], flags))
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::sendto(fd, buf, len, flags, address, address_len) }
}

/// `capacity` is the buffer's size as the compiler saw it; the C library ends a program that overflows it.
#[unsafe(no_mangle)]
unsafe extern "C" fn __read_chk(fd: c_int, buf: *mut c_void, count: usize, capacity: usize) -> ssize_t {
    // SAFETY: the program's arguments.
    unsafe { if count <= capacity { read(fd, buf, count) } else { real::__read_chk(fd, buf, count, capacity) } }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __recv_chk(fd: c_int, buf: *mut c_void, len: usize, capacity: usize, flags: c_int) -> ssize_t {
    // SAFETY: the program's arguments.
    unsafe { if len <= capacity { recv(fd, buf, len, flags) } else { real::__recv_chk(fd, buf, len, capacity, flags) } }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __recvfrom_chk(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    capacity: usize,
    flags: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> ssize_t {
    if len > capacity {
        // SAFETY: the program's arguments.
        return unsafe { real::__recvfrom_chk(fd, buf, len, capacity, flags, address, address_len) };
    }
    // SAFETY: the program's arguments.
    unsafe { recvfrom(fd, buf, len, flags, address, address_len) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sendfile(out: c_int, input: c_int, offset: *mut off_t, count: usize) -> ssize_t {
    move_back(input, Reason::KERNEL_FEATURE);
    if is_tracked(out)
        && (offset.is_null() || can_read(offset))
        // SAFETY: null or the program's, and readable.
        && let position = unsafe { offset.as_mut() }
        && let Some(result) = asked(|| room::data::sendfile(out, input, position, count))
    {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::sendfile(out, input, offset, count) }
}

/// Pages move within the kernel: both ends go there.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn splice(
    input: c_int,
    input_offset: *mut i64,
    out: c_int,
    out_offset: *mut i64,
    len: usize,
    flags: u32,
) -> ssize_t {
    move_back(input, Reason::KERNEL_FEATURE);
    move_back(out, Reason::KERNEL_FEATURE);
    // SAFETY: the program's arguments.
    unsafe { real::splice(input, input_offset, out, out_offset, len, flags) }
}

also! {
    __read = read(fd: c_int, buf: *mut c_void, count: usize) -> ssize_t;
    __write = write(fd: c_int, buf: *const c_void, count: usize) -> ssize_t;
    __send = send(fd: c_int, buf: *const c_void, len: usize, flags: c_int) -> ssize_t;
    preadv64v2 = preadv2(fd: c_int, vector: *const iovec, count: c_int, offset: off_t, flags: c_int) -> ssize_t;
    pwritev64v2 = pwritev2(fd: c_int, vector: *const iovec, count: c_int, offset: off_t, flags: c_int) -> ssize_t;
    sendfile64 = sendfile(out: c_int, input: c_int, offset: *mut off_t, count: usize) -> ssize_t;
}
