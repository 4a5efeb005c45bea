//! Whether a connection whose incoming road is VMMC is readable, once the kernel has reported something on it.
use super::hot;
use crate::connection::{Connection, flag};
use crate::{doorbell, end, roads, service};
use vmmc_os::{abi, kernel};
use vmmc_stream::{Lie, Next, Road};
use vmmc_sync::Ordering;

/// The incoming road is VMMC, so that a kernel report may be a doorbell only.
#[inline]
pub(super) fn on_ring(connection: &Connection) -> bool {
    connection.is_paired() && connection.recv.road() == Road::Vmmc
}

/// Ring bytes, a move, or a remembered error: no system call.
#[inline]
pub(super) fn has_news(connection: &Connection) -> bool {
    connection.receiver().has_news() || connection.recv_error.load(Ordering::Relaxed) != 0
}

/// Bytes, or a remembered error: a receive would not wait. No system call.
#[inline]
pub(crate) fn has_bytes(connection: &Connection) -> bool {
    connection.receiver().has_bytes() || connection.recv_error.load(Ordering::Relaxed) != 0
}

/// The kernel reported `fd` readable, or the sender has moved. Doorbells are taken away; what remains is the answer.
pub(crate) fn readable(connection: &'static Connection, fd: i32) -> bool {
    if !on_ring(connection) {
        return true;
    }
    service::active();
    let Some(alone) = connection.recv_gate.alone(crate::process::id()) else { return true };
    let answer = after_doorbells(connection, fd);
    if !connection.recv.is_armed() {
        // Its doorbell is spent: sets that wait for another one look at it by themselves from now on.
        hot::notice(connection, fd);
    }
    drop(alone);
    // If this is the connection's end, the receive that follows must not believe what the kernel said before it.
    connection.asked_at.store(0, Ordering::Relaxed);
    match answer {
        Ok(Some(answer)) => answer,
        Ok(None) => kernel_readable(fd),
        Err(lie) => {
            end::punish(connection, fd, lie);
            true
        }
    }
}

fn after_doorbells(connection: &'static Connection, fd: i32) -> Result<Option<bool>, Lie> {
    let receiver = connection.receiver();
    for _ in 0..2 {
        match receiver.look()? {
            Next::Data(_) => return Ok(Some(true)),
            Next::Kernel { .. } if connection.recv.road() == Road::Kernel => {
                roads::note_incoming(connection, fd);
                return Ok(None);
            }
            Next::Kernel { limit: doorbells } | Next::Empty { doorbells } => {
                if connection.recv_error.load(Ordering::Relaxed) != 0 {
                    return Ok(Some(true));
                }
                if doorbell::drain(connection, fd, &receiver, doorbells)? {
                    connection.set(flag::PEER_FINISHED, true);
                    return Ok(Some(true));
                }
            }
        }
    }
    Ok(has_bytes(connection).then_some(true))
}

/// What the kernel says of `fd` now that no announced doorbell stands in its queue.
pub(super) fn kernel_readable(fd: i32) -> bool {
    kernel::events_now(fd, abi::POLLIN | abi::POLLRDHUP) != 0
}

/// A peer that ended with a doorbell of ours unread makes the kernel report an error where it would have reported the end
/// of the stream without us.
pub(super) fn without_false_reset(connection: &Connection, bits: u32) -> u32 {
    // The error itself may have been taken away already; the hang-up stays. Where this end is shut down as well, that is the end of
    // both directions, and no reset.
    let error = if connection.has(flag::SEND_SHUT) { abi::POLLERR } else { abi::POLLERR | abi::POLLHUP } as u32;
    if bits & error == 0 || !end::is_false_reset(connection) {
        return bits;
    }
    connection.set(flag::PEER_FINISHED | flag::FALSE_RESET, true);
    bits & !error | (abi::POLLIN | abi::POLLRDNORM | abi::POLLRDHUP) as u32
}

/// Before a sleep: asks for a doorbell, with the announced ones taken away so that the kernel does not report at once.
/// `true`: there is news, and the caller must not sleep.
pub(super) fn arm(connection: &'static Connection, fd: i32) -> bool {
    // Not alone: a call that looked at the road before it moved is about to find out.
    let Some(_alone) = connection.recv_gate.alone(crate::process::id()) else { return true };
    let receiver = connection.receiver();
    if let Ok(Next::Empty { doorbells: doorbells @ 1.. }) = receiver.look()
        && let Err(lie) = doorbell::drain(connection, fd, &receiver, doorbells)
    {
        end::punish(connection, fd, lie);
        return true;
    }
    receiver.arm();
    has_news(connection)
}
