//! Calls that take a `msghdr`. A connection's carries data alone; another socket's may carry descriptors.

use crate::answer::fail;
use crate::arguments::{Pieces, bytes_mut, can_read, is_possible, timeout};
use crate::data::{received_pieces, receives, sends, sent_pieces};
use crate::descriptors_in_flight::{after_receiving, before_passing};
use crate::lifecycle::move_back;
use crate::options::getsockopt;
use crate::real::real;
use core::ffi::{c_int, c_uint};
use libc::{cmsghdr, mmsghdr, msghdr, ssize_t, timespec};
use std::time::Instant;
use vmmc_os::abi::TCP_INQ;
use vmmc_protocol::Reason;
use vmmc_socket::lifecycle::{is_moved_back, is_tracked};
use vmmc_socket::options::left;

real! {
    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    fn recvmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, time: *mut timespec) -> c_int;
    fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int;
}

/// The kernel looks at no more messages in one call (`UIO_MAXIOV`).
const MESSAGES_MAX: c_uint = 1024;

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    if !is_tracked(fd) {
        // SAFETY: the program's message, and readable.
        let given = unsafe { can_read(message).then(|| &*message) };
        // SAFETY: the program's message.
        given.into_iter().for_each(|given| unsafe { before_passing(given) });
    } else if is_possible(message) {
        // SAFETY: the program's message.
        let given = unsafe { &*message };
        if given.msg_controllen != 0 {
            move_back(fd, Reason::KERNEL_FEATURE);
        } else if sends(fd, flags)
            // SAFETY: the program's message.
            && let Some(pieces) = unsafe { Pieces::some(given.msg_iov, given.msg_iovlen) }
            && let Some(result) = sent_pieces(fd, &pieces, flags)
        {
            return result;
        }
    }
    // SAFETY: the program's arguments.
    unsafe { real::sendmsg(fd, message, flags) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    if receives(fd, flags)
        && is_possible(message)
        // SAFETY: the program's message.
        && let given = unsafe { &mut *message }
        && !(given.msg_controllen != 0 && is_moved_back(fd))
        // SAFETY: the program's message.
        && let Some(mut pieces) = unsafe { Pieces::new(given.msg_iov, given.msg_iovlen) }
        && let Some(result) = received_pieces(fd, &mut pieces, flags)
    {
        if result >= 0 {
            describe_stream(fd, given, flags);
        }
        return result;
    }
    // SAFETY: the program's arguments.
    let result = unsafe { real::recvmsg(fd, message, flags) };
    if result >= 0 {
        // SAFETY: the kernel has just filled the message in.
        unsafe { after_receiving(&*message) };
    }
    result
}

/// What the kernel says of a TCP message beside its data: nothing, or how much is left.
fn describe_stream(fd: c_int, message: &mut msghdr, flags: c_int) {
    if !message.msg_name.is_null() {
        message.msg_namelen = 0;
    }
    let room = core::mem::take(&mut message.msg_controllen);
    message.msg_flags = flags & libc::MSG_CMSG_CLOEXEC;
    if let Some(left) = left(fd) {
        tell_left(message, room, left);
    }
}

/// Puts `TCP_CM_INQ` (it has the option's number) into `room` bytes of control data, or as much of it as there is room for.
/// Source: `put_cmsg` in Linux's net/core/scm.c.
#[cold]
fn tell_left(message: &mut msghdr, room: usize, left: c_int) {
    const HEADER: usize = size_of::<cmsghdr>();
    const WHOLE: usize = HEADER + size_of::<c_int>();
    const SPACE: usize = WHOLE.next_multiple_of(size_of::<usize>());
    let length = if message.msg_control.is_null() { 0 } else { room.min(WHOLE) };
    if length < WHOLE {
        message.msg_flags |= libc::MSG_CTRUNC;
    }
    // SAFETY: the program's room for control data, of `room` bytes.
    let place = unsafe { bytes_mut(message.msg_control, length) };
    let Some((header, data)) = place.and_then(|place| place.split_at_mut_checked(HEADER)) else { return };
    let words = length.to_ne_bytes().into_iter().chain(libc::IPPROTO_TCP.to_ne_bytes()).chain(TCP_INQ.to_ne_bytes());
    header.iter_mut().zip(words).for_each(|(to, from)| *to = from);
    data.iter_mut().zip(left.to_ne_bytes()).for_each(|(to, from)| *to = from);
    message.msg_controllen = room.min(SPACE);
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
    // SAFETY: the program's arguments.
    let Some(given) = (unsafe { slice(messages, count) }) else {
        // SAFETY: the program's arguments.
        return unsafe { real::sendmmsg(fd, messages, count, flags) };
    };
    if !is_tracked(fd) {
        // SAFETY: the program's messages.
        given.iter().for_each(|each| unsafe { before_passing(&each.msg_hdr) });
        // SAFETY: the program's arguments.
        return unsafe { real::sendmmsg(fd, messages, count, flags) };
    }
    let mut sent = 0;
    for each in given {
        // SAFETY: the program's message.
        let result = unsafe { sendmsg(fd, &raw const each.msg_hdr, flags) };
        let Ok(length) = c_uint::try_from(result) else { break };
        each.msg_len = length;
        sent += 1;
    }
    if sent == 0 { -1 } else { sent }
}

/// As the kernel, it looks at the time only between messages, and begins with an error that is pending.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    time: *mut timespec,
) -> c_int {
    // SAFETY: the program's arguments.
    let (given, limit) = unsafe { (slice(messages, count), timeout(time)) };
    let (true, Some(given), Some(limit)) = (is_tracked(fd), given, limit) else {
        // SAFETY: the program's arguments.
        let received = unsafe { real::recvmmsg(fd, messages, count, flags, time) };
        // SAFETY: the kernel has just filled in so many messages.
        let filled = c_uint::try_from(received).ok().and_then(|received| unsafe { slice(messages, received) });
        // SAFETY: as above.
        filled.into_iter().flatten().for_each(|each| unsafe { after_receiving(&each.msg_hdr) });
        return received;
    };
    let error = pending_error(fd);
    if error != 0 {
        return fail(error) as c_int;
    }
    let start = limit.map(|_| Instant::now());
    let mut received = 0;
    let mut flags = flags;
    for each in given {
        // SAFETY: the program's message.
        let result = unsafe { recvmsg(fd, &raw mut each.msg_hdr, flags) };
        let Ok(length) = c_uint::try_from(result) else { break };
        each.msg_len = length;
        received += 1;
        if flags & libc::MSG_WAITFORONE != 0 {
            flags |= libc::MSG_DONTWAIT;
        }
        if start.zip(limit).is_some_and(|(start, limit)| start.elapsed() >= limit) {
            break;
        }
    }
    if received == 0 { -1 } else { received }
}

/// The error that waits to be told on a socket, which is taken away; 0: none.
fn pending_error(fd: c_int) -> c_int {
    let (mut error, mut length) = (0, size_of::<c_int>() as libc::socklen_t);
    // SAFETY: a place for a number, and its length.
    let result = unsafe { getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut error).cast(), &raw mut length) };
    if result == 0 { error } else { 0 }
}

/// The program's messages; `None` if there are none or the kernel must judge them.
unsafe fn slice<'a>(messages: *mut mmsghdr, count: c_uint) -> Option<&'a mut [mmsghdr]> {
    let usable = is_possible(messages) && count != 0;
    // SAFETY: not null; the rest is the program's.
    usable.then(|| unsafe { core::slice::from_raw_parts_mut(messages, count.min(MESSAGES_MAX) as usize) })
}
