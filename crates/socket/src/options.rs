//! Options, flags, half-close.
use crate::connection::{Connection, flag};
use crate::roads::{MOVE_BACK_ROUNDS, ROUND_MICROS};
use crate::wait::shared;
use crate::{Ending, again, doorbell, end, roads, service, table};
use vmmc_os::{Errno, abi, kernel, process};
use vmmc_protocol::{Reason, record::DirectionRecord};
use vmmc_stream::{Ahead, End, Next, Road};
use vmmc_sync::Ordering;

/// `shutdown(fd, how)`.
pub fn shutdown(fd: i32, how: i32) -> Ending {
    let Some(connection) = table::lookup(fd) else { return Ending::Bypass };
    if !connection.is_connection() {
        return Ending::Bypass;
    }
    let ending =
        if how == abi::SHUT_RD { shut_down(connection, fd, how) } else { shut_sending_down(connection, fd, how) };
    if ending == Ending::Handled(0) {
        connection.set(flag::RECV_SHUT, connection.has(flag::RECV_SHUT) || how != abi::SHUT_WR);
        shared::note_shut(fd);
    }
    disarm_if_shut(connection);
    ending
}

/// A doorbell for what lies unread would be answered with a reset, and so would what is sent again.
fn disarm_if_shut(connection: &'static Connection) {
    if !connection.is_paired() || !connection.is_shut() {
        return;
    }
    connection.sender().hint_end(End::Whole);
    if let Some(_alone) = connection.recv_gate.alone(crate::process::id()) {
        connection.receiver().disarm();
    }
}

fn shut_down(connection: &Connection, fd: i32, how: i32) -> Ending {
    match kernel::shutdown(fd, how) {
        Ok(_) => Ending::Handled(0),
        // At the end of a stream it is no error, unless this end has ended its own before.
        Err(Errno(abi::ENOTCONN)) if !connection.has(flag::SEND_SHUT) && end::is_false_reset(connection) => {
            Ending::Handled(0)
        }
        Err(error) => Ending::Failed(error),
    }
}

fn shut_sending_down(connection: &'static Connection, fd: i32, how: i32) -> Ending {
    for _ in 0..MOVE_BACK_ROUNDS {
        let alone = connection.send_gate.alone(crate::process::id());
        if alone.is_none() && connection.send_gate.is_own(crate::process::id()) {
            break;
        }
        match end_stream(connection, fd, how, alone.is_some()) {
            Ending::Failed(Errno(abi::EAGAIN)) => {}
            ending => return ending,
        }
        drop(alone);
        process::sleep_micros(ROUND_MICROS);
    }
    shut_later(connection, fd, how)
}

/// The send gate is held (`alone`), or kernel calls are under way: then the stream is on the kernel's road. `EAGAIN`: the peer is
/// yet to give bytes back, or the kernel to take them, and they go first.
fn end_stream(connection: &Connection, fd: i32, how: i32, alone: bool) -> Ending {
    if connection.is_paired() && alone {
        let sender = connection.sender();
        if let Err(error) = roads::settle_return(connection, fd, &sender) {
            return Ending::Failed(error);
        }
        roads::leave(connection, fd, &sender, Reason::NO_SEND_SEEN);
    }
    let ending = shut_down(connection, fd, how);
    if ending == Ending::Handled(0) {
        connection.set(flag::SEND_SHUT, true);
        if connection.is_paired() {
            let sender = connection.sender();
            let is_half = how == abi::SHUT_WR && !connection.has(flag::RECV_SHUT);
            sender.hint_end(if is_half { End::Half } else { End::Whole });
            if !sender.is_drained() {
                // What was sent again may have been read, and the peer be killed before it reads on: see `take_last_doorbells`.
                connection.notify_peer();
            }
        }
    }
    ending
}

/// Something comes before the end of the stream: the work of this thread's own that a signal handler has interrupted, or a peer that
/// does not answer. Whoever is at work on the stream next ends it, or the safety net.
fn shut_later(connection: &Connection, fd: i32, how: i32) -> Ending {
    let ending = match how {
        abi::SHUT_WR => Ending::Handled(0),
        abi::SHUT_RDWR => shut_down(connection, fd, abi::SHUT_RD),
        _ => return shut_down(connection, fd, how),
    };
    if ending == Ending::Handled(0) {
        connection.set(flag::SHUT_DUE, true);
        service::active();
    }
    ending
}

/// Makes up for what [`shut_later`] has put off. The send gate is held (`alone`), or passed.
#[inline]
pub(crate) fn shut_if_due(connection: &'static Connection, fd: i32, alone: bool) {
    if connection.has(flag::SHUT_DUE) {
        let ending = end_stream(connection, fd, abi::SHUT_WR, alone);
        connection.set(flag::SHUT_DUE, ending == Ending::Failed(Errno(abi::EAGAIN)));
        disarm_if_shut(connection);
    }
}

fn flag_of(level: i32, name: i32) -> Option<u32> {
    match (level, name) {
        (abi::IPPROTO_TCP, abi::TCP_NODELAY) => Some(flag::NODELAY_ASKED),
        (abi::IPPROTO_TCP, abi::TCP_CORK) => Some(flag::CORK_ASKED),
        _ => None,
    }
}

/// Whether the program asks for what only the kernel's road has. Readiness that waits for more than a byte (`SO_RCVLOWAT`) is
/// the kernel's, for it wakes nobody earlier however it is waited for.
fn is_kernels_alone(level: i32, name: i32, value: &[u8]) -> bool {
    let is_low_water = (level, name) == (abi::SOL_SOCKET, abi::SO_RCVLOWAT);
    let is_usual = || value.first_chunk().is_none_or(|mark| matches!(i32::from_ne_bytes(*mark), 0 | 1));
    abi::KERNEL_ALONE.contains(&(level, name)) || is_low_water && !is_usual()
}

/// `setsockopt`; `Bypass`: call the kernel, then nothing more is owed.
pub fn setsockopt(fd: i32, level: i32, name: i32, value: &[u8]) -> Ending {
    let Some(connection) = table::lookup(fd) else { return Ending::Bypass };
    if is_kernels_alone(level, name, value) {
        roads::move_back(fd, Reason::KERNEL_FEATURE);
        return Ending::Bypass;
    }
    if (level, name) == (abi::IPPROTO_TCP, abi::TCP_INQ) {
        return tell_left(connection, fd, value);
    }
    // While VMMC needs them otherwise below, these two are kept here.
    if let (Some(flag), true, Some(value)) =
        (flag_of(level, name), connection.has(flag::NODELAY_OURS), value.first_chunk::<4>())
    {
        connection.set(flag, i32::from_ne_bytes(*value) != 0);
        return Ending::Handled(0);
    }
    Ending::Bypass
}

/// TCP_INQ: what the kernel receives it tells by itself, and for the rest there is [`left`].
fn tell_left(connection: &Connection, fd: i32, value: &[u8]) -> Ending {
    if let Err(error) = kernel::setsockopt(fd, abi::IPPROTO_TCP, abi::TCP_INQ, value) {
        return Ending::Failed(error);
    }
    connection.set(flag::LEFT_ASKED, value.first_chunk().is_some_and(|on| i32::from_ne_bytes(*on) != 0));
    Ending::Handled(0)
}

/// What a receive is to say beside its data, if the program has asked for it (TCP_INQ): how many bytes are left, and one more at the
/// end of the stream.
///
/// Source: `tcp_inq_hint` in Linux's net/ipv4/tcp.c, which counts FIN until it is received and says 1 afterwards.
#[must_use]
pub fn left(fd: i32) -> Option<i32> {
    table::lookup(fd).filter(|connection| connection.has(flag::LEFT_ASKED))?;
    // The end first: bytes that come between the two questions stand before it.
    let ended = end::kernel_says_ended(fd);
    Some(i32::try_from(waiting(fd)).unwrap_or(i32::MAX).saturating_add(i32::from(ended)))
}

/// How many bytes could be received now.
pub(crate) fn waiting(fd: i32) -> usize {
    table::lookup(fd).and_then(|connection| unread(connection, fd)).unwrap_or_else(|| doorbell::queued(fd)) as usize
}

/// `getsockopt`; `Handled(n)`: n bytes were put into `value`, the call returns 0 and sets `*optlen = n`.
pub fn getsockopt(fd: i32, level: i32, name: i32, value: &mut [u8]) -> Ending {
    let Some(connection) = table::lookup(fd) else { return Ending::Bypass };
    let answer = match (level, name) {
        (abi::SOL_SOCKET, abi::SO_ERROR) if end::is_false_reset(connection) => Some(0),
        (abi::SOL_SOCKET, abi::SO_ERROR) => end::kept_error(connection).map(|Errno(error)| error),
        (abi::IPPROTO_TCP, abi::TCP_INFO) => return tcp_info(connection, fd, value),
        (abi::IPPROTO_TCP, abi::TCP_ZEROCOPY_RECEIVE) => {
            roads::move_back(fd, Reason::KERNEL_FEATURE);
            None
        }
        _ => {
            let flag = flag_of(level, name).filter(|_| connection.has(flag::NODELAY_OURS));
            flag.map(|flag| i32::from(connection.has(flag)))
        }
    };
    let Some(answer) = answer else { return Ending::Bypass };
    let asked = answer.to_ne_bytes();
    let n = value.len().min(asked.len());
    for (to, from) in value.iter_mut().zip(asked) {
        *to = from;
    }
    Ending::Handled(n as isize)
}

/// `struct tcp_info`, with the bytes that went through memory counted and the doorbells not. What is in segments stays the kernel's.
fn tcp_info(connection: &'static Connection, fd: i32, value: &mut [u8]) -> Ending {
    // Offsets of `tcpi_bytes_acked`, `tcpi_bytes_received` and `tcpi_bytes_sent`.
    const ACKED: usize = 120;
    const RECEIVED: usize = 128;
    const SENT: usize = 200;
    if !connection.is_paired() {
        return Ending::Bypass;
    }
    let Ok(length) = kernel::getsockopt(fd, abi::IPPROTO_TCP, abi::TCP_INFO, value) else { return Ending::Bypass };
    let carried = |record: &DirectionRecord| {
        record.kernel_bytes.load(Ordering::Relaxed).wrapping_add(record.vmmc_bytes.load(Ordering::Relaxed))
    };
    let sent = carried(&connection.record.outgoing).wrapping_sub(connection.send.kernel_bytes());
    let received = carried(&connection.record.incoming)
        .wrapping_sub(connection.recv.kernel_bytes())
        .wrapping_add(unread_past_kernel(connection, fd));
    for (at, more) in [(ACKED, sent), (SENT, sent), (RECEIVED, received)] {
        if let Some(word) = value.get_mut(..length).and_then(|value| value.get_mut(at..)?.first_chunk_mut()) {
            *word = u64::from_ne_bytes(*word).wrapping_add(more).to_ne_bytes();
        }
    }
    Ending::Handled(length as isize)
}

/// Bytes that have come and that the kernel does not know of, less the doorbells in its queue.
fn unread_past_kernel(connection: &'static Connection, fd: i32) -> u64 {
    unread(connection, fd).map_or(0, |unread| unread.wrapping_sub(doorbell::queued(fd)))
}

/// What the application could receive now, on both sides of the next move. `None`: what the kernel's queue holds.
fn unread(connection: &'static Connection, fd: i32) -> Option<u64> {
    if !connection.is_paired() || !connection.recv.is_ready() {
        return None;
    }
    let _alone = connection.recv_gate.alone(crate::process::id())?;
    let receiver = connection.receiver();
    let here = if let Next::Data(n) = receiver.look().ok()? { n as u64 } else { 0 };
    match receiver.ahead().ok()? {
        Ahead::Same => (here > 0 || connection.recv.road() == Road::Vmmc).then_some(here),
        Ahead::Ring { after, bytes } => {
            let queued = doorbell::queued(fd);
            Some(if queued < after { queued } else { after + bytes })
        }
        Ahead::Kernel { doorbells } => Some(here + doorbell::queued(fd).saturating_sub(doorbells)),
    }
}

/// `ioctl(fd, FIONREAD)`; `Handled(n)`: n is what `*argp` gets.
pub fn readable_bytes(fd: i32) -> Ending {
    table::lookup(fd)
        .and_then(|connection| unread(connection, fd))
        .map_or(Ending::Bypass, |n| Ending::Handled(n as isize))
}

/// `ioctl(fd, SIOCOUTQ)`; as [`readable_bytes`]. Bytes in the peer's ring have arrived.
pub fn unsent_bytes(fd: i32) -> Ending {
    match table::lookup(fd) {
        Some(connection) if connection.is_paired() && connection.send.road() == Road::Vmmc => Ending::Handled(0),
        _ => Ending::Bypass,
    }
}

/// `ioctl(fd, SIOCATMARK)`; as [`readable_bytes`]. Urgent data is on the kernel road only.
pub fn at_mark(fd: i32) -> Ending {
    match table::lookup(fd) {
        Some(connection) if connection.is_paired() && is_before_kernel_data(connection, fd) => Ending::Handled(0),
        _ => Ending::Bypass,
    }
}

/// Before a receive with MSG_OOB: doorbells are taken from before the urgent byte, which the kernel would not pass over with
/// something unread in front of it when the next one comes.
pub fn before_urgent(fd: i32) {
    let Some(connection) = table::lookup(fd).filter(|connection| connection.is_paired()) else { return };
    let Some(_alone) = connection.recv_gate.alone(crate::process::id()) else { return };
    let receiver = connection.receiver();
    if let Ok(Ahead::Kernel { doorbells }) = receiver.ahead()
        && again::follow(connection, fd, &receiver) == Ok(false)
    {
        let _ = doorbell::drain(connection, fd, &receiver, doorbells as usize);
    }
}

/// Whether something of the VMMC road stands before the next kernel-road byte. Doorbells do not count, and are taken away.
fn is_before_kernel_data(connection: &'static Connection, fd: i32) -> bool {
    let Some(_alone) = connection.recv_gate.alone(crate::process::id()) else { return false };
    let receiver = connection.receiver();
    if let Ok(Next::Kernel { limit }) = receiver.look()
        && connection.recv.road() == Road::Vmmc
    {
        let _ = doorbell::drain(connection, fd, &receiver, limit);
    }
    !matches!(receiver.look(), Ok(Next::Kernel { .. })) || connection.recv.road() == Road::Vmmc
}

/// `fcntl(F_SETFL)` or `ioctl(FIONBIO)` has set or cleared O_NONBLOCK.
pub fn nonblocking_set(fd: i32, on: bool) {
    if let Some(connection) = table::lookup(fd) {
        connection.set(flag::NONBLOCKING, on);
    }
}

/// Whether calls on `fd` do not wait, as far as we were told. Where the system inherits it, `accept` asks for its listener's.
#[must_use]
pub fn is_nonblocking(fd: i32) -> bool {
    table::lookup(fd).is_some_and(|connection| connection.has(flag::NONBLOCKING))
}
