//! Doorbells: one byte on the kernel road that wakes whoever sleeps there, and their disposal.
use crate::connection::{Connection, ConnectionReceiver, ConnectionSender};
use crate::wait::hot;
use crate::{ON_STACK, end, service, table};
use vmmc_os::{Errno, abi, kernel};
use vmmc_protocol::record::count;
use vmmc_stream::{Lie, Road};
use vmmc_sync::Ordering;

/// So many doorbells at most are usually taken at once, and otherwise as many as may stand on the stack.
const FEW: usize = 64;

/// Rings. The send gate is held. An error that the kernel reports here is kept.
#[inline(never)]
pub(crate) fn ring(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>) {
    service::listen();
    sender.ringing(1);
    match kernel::send(fd, &[0], abi::MSG_DONTWAIT | abi::MSG_NOSIGNAL) {
        Ok(1) => count(&connection.record.outgoing.doorbells, 1),
        Ok(_) => sender.not_rung(1),
        Err(error) => {
            sender.not_rung(1);
            end::keep_error(connection, error);
        }
    }
}

/// The kernel delivered `buf`; as [`ConnectionReceiver::from_kernel`]. The receive gate is held. If that took away what
/// another call sleeps for, it is asked for again.
pub(crate) fn hear(
    connection: &Connection,
    fd: i32,
    receiver: &ConnectionReceiver<'_>,
    buf: &[u8],
) -> Result<usize, Lie> {
    let data = receiver.from_kernel(buf)?;
    if connection.recv.road() == Road::Vmmc && hot::is_slept_on(connection, fd) {
        ask_again(connection);
    }
    Ok(data)
}

/// Somebody sleeps on the connection and its doorbell has been taken away: another one is asked for. Bytes that are there
/// already bring none, so the peer is notified of them.
pub(crate) fn ask_again(connection: &Connection) {
    let receiver = connection.receiver();
    // A doorbell that lies unread tells sets that are watched by another descriptor of nothing that comes behind it.
    let is_answered = receiver.is_rung() && connection.references.load(Ordering::Relaxed) > 1;
    if connection.recv.is_armed() && !is_answered || connection.is_shut() {
        return;
    }
    receiver.arm();
    if receiver.has_news() {
        connection.notify_peer();
    }
}

/// Takes announced doorbells out of the kernel's queue while a receive has nothing else to do: as long as one may stand there
/// every receive tells its credit, and the sender waits for one line more.
#[cold]
pub(crate) fn hush(connection: &'static Connection, fd: i32) -> Result<(), Errno> {
    let Some(_alone) = connection.recv_gate.alone(crate::process::id()) else { return Ok(()) };
    let receiver = connection.receiver();
    if !table::is_at(fd, connection) || connection.recv.road() == Road::Kernel || receiver.has_news() {
        return Ok(());
    }
    // That the kernel said end of stream it says again.
    take(connection, fd, &receiver, receiver.doorbells()).map(drop).map_err(|lie| end::punish(connection, fd, lie))
}

/// Bytes in the kernel's queue, doorbells among them.
pub(crate) fn queued(fd: i32) -> u64 {
    kernel::ioctl_int(fd, abi::FIONREAD).map_or(0, |bytes| u64::from(bytes.cast_unsigned()))
}

/// As [`drain`], for whoever receives on the ring: sets that watch the socket look at it by themselves from now on.
pub(crate) fn take(
    connection: &'static Connection,
    fd: i32,
    receiver: &ConnectionReceiver<'_>,
    doorbells: usize,
) -> Result<bool, Lie> {
    service::active();
    let ended = drain(connection, fd, receiver, doorbells)?;
    hot::notice(connection, fd);
    Ok(ended)
}

/// Takes up to `doorbells` announced doorbells out of the kernel's queue, without waiting. The receive gate is held.
/// `Ok(true)`: the kernel said end of stream.
pub(crate) fn drain(
    connection: &Connection,
    fd: i32,
    receiver: &ConnectionReceiver<'_>,
    doorbells: usize,
) -> Result<bool, Lie> {
    if doorbells > FEW {
        return drain_many(connection, fd, receiver, doorbells);
    }
    let before = connection.recv.kernel_bytes();
    let ended = drain_by(connection, fd, receiver, doorbells, &mut [0; FEW]);
    count(&connection.record.incoming.doorbells, connection.recv.kernel_bytes().wrapping_sub(before));
    ended
}

/// Most of them are bytes that were sent again. What is rare takes no stack from the rest.
#[cold]
#[inline(never)]
fn drain_many(
    connection: &Connection,
    fd: i32,
    receiver: &ConnectionReceiver<'_>,
    doorbells: usize,
) -> Result<bool, Lie> {
    drain_by(connection, fd, receiver, doorbells, &mut [0; ON_STACK])
}

fn drain_by(
    connection: &Connection,
    fd: i32,
    receiver: &ConnectionReceiver<'_>,
    doorbells: usize,
    scratch: &mut [u8],
) -> Result<bool, Lie> {
    let mut left = doorbells;
    while left > 0 {
        let want = left.min(scratch.len());
        let Some(buf) = scratch.get_mut(..want) else { return Ok(false) };
        match kernel::recv(fd, buf, abi::MSG_DONTWAIT) {
            Ok(0) => return Ok(true),
            Ok(n) => {
                hear(connection, fd, receiver, buf.get(..n).unwrap_or_default())?;
                left -= n.min(left);
            }
            Err(Errno(error)) => {
                if error != abi::EAGAIN && error != abi::EINTR {
                    connection.recv_error.store(error as u32, Ordering::Relaxed);
                }
                return Ok(false);
            }
        }
    }
    Ok(false)
}
