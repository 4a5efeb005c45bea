//! Sending: which road, and what to do when the ring is full.
use crate::connection::{Connection, ConnectionSender, flag};
use crate::gate::{Alone, Among};
use crate::{Ending, doorbell, end, pairing, roads, settings, spin, table};
use std::io::IoSlice;
use vmmc_os::{Errno, abi, clock, kernel, process};
use vmmc_protocol::{Reason, record::count};
use vmmc_stream::{Lie, Road};
use vmmc_sync::Ordering;

/// How long a sender with a full ring waits for the receiver before it moves back to the kernel road.
const ROOM_WAIT_BLOCKING_MICROS: u32 = 200;
const ROOM_WAIT_NONBLOCKING_MICROS: u32 = 20;
/// A blocking sender then sleeps so many times this long: a receiver that lost its processor for a moment gets it back.
const ROOM_SLEEPS: u32 = 20;
const ROOM_SLEEP_MICROS: u32 = 100;
/// A sender with unread bytes out asks the kernel this often whether the peer still lives.
const PEER_CHECK_MICROS: u32 = 100;

/// `send`, `write`, `sendto` on a connection, `sendmsg` without control data, `writev`; flags as for send(2).
///
/// Source: send(2), POSIX `send`. Async-signal-safe; allocates nothing.
#[inline]
pub fn send(fd: i32, bufs: &[IoSlice<'_>], flags: i32) -> Ending {
    let Some(connection) = table::lookup(fd) else { return Ending::Bypass };
    let result = if connection.is_paired() {
        send_paired(connection, fd, bufs, flags)
    } else {
        by_kernel(connection, fd, bufs, flags)
    };
    match result {
        Ok(n) => Ending::Handled(n as isize),
        Err(error) => Ending::Failed(error),
    }
}

/// A plain kernel send, counted.
fn by_kernel(connection: &'static Connection, fd: i32, bufs: &[IoSlice<'_>], flags: i32) -> Result<usize, Errno> {
    let Some(among) = connection.send_gate.among(crate::process::id()) else {
        // A signal handler on the socket that its own thread is at work on.
        return Err(Errno(abi::EAGAIN));
    };
    if connection.send.road() == Road::Vmmc && connection.is_paired() {
        drop(among);
        return send_paired(connection, fd, bufs, flags);
    }
    kernel_call(connection, fd, bufs, flags, &among)
}

fn kernel_call(
    connection: &'static Connection,
    fd: i32,
    bufs: &[IoSlice<'_>],
    flags: i32,
    among: &Among<'_>,
) -> Result<usize, Errno> {
    let sent = among.asleep(|| match bufs {
        [buf] => kernel::send(fd, buf, flags),
        bufs => kernel::send_slices(fd, bufs, flags),
    })?;
    connection.send.sent_by_kernel(sent as u64);
    let record = &connection.record.outgoing;
    count(&record.kernel_bytes, sent as u64);
    count(&record.kernel_messages, 1);
    pairing::consider(connection);
    Ok(sent)
}

pub(crate) fn send_paired(connection: &'static Connection, fd: i32, bufs: &[IoSlice<'_>], flags: i32) -> Result<usize, Errno> {
    let sender = connection.sender();
    let on_kernel = connection.send.road() == Road::Kernel;
    if connection.has(flag::SEND_SHUT | flag::BROKEN) && on_kernel
        || on_kernel && !sender.may_switch() && !connection.send.owes_return()
        || bufs.iter().all(|buf| buf.is_empty())
    {
        return by_kernel_or_retry(connection, fd, bufs, flags);
    }
    let Some(alone) = connection.send_gate.alone(crate::process::id()) else {
        return by_kernel_or_retry(connection, fd, bufs, flags);
    };
    if !table::lookup(fd).is_some_and(|found| core::ptr::eq(found, connection)) {
        return Err(Errno(abi::EBADF));
    }
    if connection.send_error.load(Ordering::Relaxed) != 0 {
        return Err(Errno(connection.send_error.swap(0, Ordering::Relaxed) as i32));
    }
    let wait = !connection.has(flag::NONBLOCKING) && flags & abi::MSG_DONTWAIT == 0;
    roads::settle_return(connection, fd, &sender, wait)?;
    if connection.send.road() == Road::Kernel && !roads::try_switch(connection, fd, &sender, wait) {
        return kernel_call(connection, fd, bufs, flags, &alone.among());
    }
    match put_all(connection, fd, &sender, bufs, wait) {
        Ok(done) if done == bufs.iter().map(|buf| buf.len()).sum::<usize>() => Ok(done),
        Ok(done) => match roads::settle_return(connection, fd, &sender, wait) {
            Ok(()) => overflow(connection, fd, bufs, done, flags, &alone.among()),
            Err(error) if done == 0 => Err(error),
            Err(_) => Ok(done),
        },
        Err(lie) => Err(end::punish(connection, fd, lie)),
    }
}

/// The kernel road, unless the stream has moved meanwhile. Empty sends go to the kernel for its own answer.
fn by_kernel_or_retry(
    connection: &'static Connection,
    fd: i32,
    bufs: &[IoSlice<'_>],
    flags: i32,
) -> Result<usize, Errno> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return kernel::send_slices(fd, bufs, flags);
    }
    by_kernel(connection, fd, bufs, flags)
}

/// Puts what there is room for, waiting a bounded while where there is none. Fewer bytes than given: the stream has left,
/// or the receiver asks for it back.
fn put_all(
    connection: &'static Connection,
    fd: i32,
    sender: &ConnectionSender<'_>,
    bufs: &[IoSlice<'_>],
    wait: bool,
) -> Result<usize, Lie> {
    let mut done = 0;
    if (!sender.is_drained() || connection.receiver().end_hinted() || connection.has(flag::PEER_FINISHED))
        && peer_has_ended(connection, fd)
    {
        roads::leave(connection, sender, Reason::PEER_FINISHED);
        return Ok(0);
    }
    for buf in bufs {
        let mut rest: &[u8] = buf;
        while !rest.is_empty() {
            let n = sender.put(rest)?;
            rest = rest.get(n..).unwrap_or_default();
            done += n;
            if n == 0 {
                ring_if_owed(connection, fd, sender);
                let room = wait_for_room(sender, rest.len(), wait);
                if !room || sender.is_retracted() {
                    // The unread bytes of a stream that is asked for come back: that is not a leave like others.
                    if !sender.is_retracted() {
                        roads::leave(connection, sender, Reason::RING_FULL);
                    }
                    account(connection, done);
                    return Ok(done);
                }
            }
        }
    }
    ring_if_owed(connection, fd, sender);
    account(connection, done);
    Ok(done)
}

fn account(connection: &Connection, done: usize) {
    count(&connection.record.outgoing.vmmc_bytes, done as u64);
    count(&connection.record.outgoing.vmmc_messages, 1);
}

#[inline]
fn ring_if_owed(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>) {
    if sender.must_ring() {
        doorbell::ring(connection, fd, sender);
    }
}

fn wait_for_room(sender: &ConnectionSender<'_>, wanted: usize, wait: bool) -> bool {
    let micros = match (settings::spin_max_micros(), wait) {
        (0, _) => 0,
        (_, true) => ROOM_WAIT_BLOCKING_MICROS,
        (_, false) => ROOM_WAIT_NONBLOCKING_MICROS,
    };
    let enough = wanted.min(32 * 1024);
    let room = |least| sender.room().map_or(true, |room| room >= least);
    spin::at_most(micros, || room(enough))
        || room(1)
        || wait
            && (0..ROOM_SLEEPS).any(|_| {
                process::sleep_micros(ROOM_SLEEP_MICROS);
                room(1)
            })
}

/// Whether the kernel knows of the connection's end. Asked now and then only, while bytes lie unread at the peer,
/// and always once the peer has hinted at it.
fn peer_has_ended(connection: &Connection, fd: i32) -> bool {
    if connection.has(flag::PEER_FINISHED) {
        return true;
    }
    let now = clock::ticks();
    let lately = now.wrapping_sub(connection.asked_at.load(Ordering::Relaxed)) < settings::ticks(PEER_CHECK_MICROS);
    if lately && !connection.receiver().end_hinted() {
        return false;
    }
    connection.asked_at.store(now, Ordering::Relaxed);
    let ended = end::kernel_says_ended(fd);
    if ended {
        connection.set(flag::PEER_FINISHED, true);
    }
    ended
}

/// The ring is full and the stream has left it: the rest goes down the kernel road, whose waiting and errors count.
fn overflow(
    connection: &'static Connection,
    fd: i32,
    bufs: &[IoSlice<'_>],
    done: usize,
    flags: i32,
    among: &Among<'_>,
) -> Result<usize, Errno> {
    let (mut skip, mut total) = (done, done);
    for buf in bufs {
        let rest = buf.get(skip.min(buf.len())..).unwrap_or_default();
        skip -= skip.min(buf.len());
        if rest.is_empty() {
            continue;
        }
        // A call that has sent something says so, and raises no signal.
        let quiet = if total > 0 { abi::MSG_NOSIGNAL } else { 0 };
        match kernel_call(connection, fd, &[IoSlice::new(rest)], flags | quiet, among) {
            Ok(sent) => {
                total += sent;
                if sent < rest.len() {
                    break;
                }
            }
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(total)
}

/// For the service thread and for moves: the send gate, alone, if no kernel call is under way.
pub(crate) fn gate(connection: &Connection) -> Option<Alone<'_>> {
    connection.send_gate.alone(crate::process::id())
}
