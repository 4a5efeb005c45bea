//! What the service thread does for connections in use: it answers peers' notifications, and is the safety net for waiters
//! that nobody saw.
use crate::connection::{Connection, flag};
use crate::gate::Alone;
use crate::wait::hot;
use crate::{arena, doorbell, end, options, pairing, roads, table};
use vmmc_stream::{Next, Road};
use vmmc_sync::Ordering;

/// The paired connections; none once this process's references have been given up, since another process may pair one of
/// them then, in memory that is not mapped here.
fn each_paired(mut visit: impl FnMut(&'static Connection, i32)) {
    pairing::each_paired(|connection, fd| {
        if !crate::process::is_exiting() {
            visit(connection, fd);
        }
    });
}

/// Under one of its gates: whether the connection is what it was when the table was read, for close empties the entry and
/// gives the slot back under the gates.
fn is_still_at(connection: &'static Connection, fd: i32) -> bool {
    connection.is_paired() && table::is_at(fd, connection)
}

/// Answers what the peer asks of the outgoing stream, as far as that is possible now. `None`: a call of the program's is under
/// way, which answers when it ends; the peer then knows that this may depend on it.
fn settled(connection: &'static Connection, fd: i32) -> Option<Alone<'static>> {
    let sender = connection.sender();
    match connection.send_gate.try_alone(crate::process::id()) {
        Some(alone) if is_still_at(connection, fd) => {
            if let Err(error) = roads::settle_return(connection, fd, &sender) {
                end::keep_error(connection, error);
            }
            Some(alone)
        }
        Some(_) => None,
        None => {
            // Whoever is alone there is soon done, and may be about to end the stream: then nothing could be taken back.
            if sender.is_retracted() && connection.send_gate.is_passed() {
                sender.tell_busy();
            }
            None
        }
    }
}

/// The peer has left the ring, perhaps for somebody who has nothing but the kernel's word from now on, and who would hear of a
/// reset if this process were killed with a doorbell unread.
fn take_last_doorbells(connection: &'static Connection, fd: i32) {
    let receiver = connection.receiver();
    if connection.recv.road() != Road::Vmmc || !receiver.is_rung() || receiver.has_bytes() {
        return;
    }
    let alone = connection.recv_gate.try_alone(crate::process::id());
    let Some(_alone) = alone.filter(|_| is_still_at(connection, fd)) else { return };
    if let Ok(Next::Kernel { limit }) = receiver.look()
        && connection.recv.road() == Road::Vmmc
    {
        // The peer is to know that all has been read.
        receiver.disarm();
        if let Err(lie) = doorbell::take(connection, fd, &receiver, limit) {
            end::punish(connection, fd, lie);
        }
    }
}

/// A peer has notified us: it asks for a stream back, has given bytes back, has left the ring for good, or found it unread and
/// unarmed.
pub(crate) fn answer_peers() {
    each_paired(|connection, fd| {
        take_last_doorbells(connection, fd);
        let sender = connection.sender();
        if !sender.is_retracted() && !connection.send.owes_return() && !sender.must_ring() {
            return;
        }
        let Some(_alone) = settled(connection, fd) else { return };
        // An error that the kernel has to tell is the program's to hear, and would be told here.
        let is_owed = connection.send.road() == Road::Vmmc && sender.must_ring() && !sender.is_drained();
        if is_owed && !end::is_gone(fd) {
            doorbell::ring(connection, fd, &sender);
        }
    });
}

/// A call of ours slept without a doorbell on its way: what the net is not for.
fn note_rescue() {
    if let Some(header) = arena::header() {
        header.rescues.fetch_add(1, Ordering::Relaxed);
    }
}

/// The safety net: connections that nobody has touched since the last look and that are not armed are armed, so that a
/// waiter whose call we never saw is woken. `true`: some connection is still on the move.
pub(crate) fn look_after_waiters() -> bool {
    let mut moving = false;
    each_paired(|connection, fd| {
        if connection.recv.road() != Road::Vmmc || connection.is_shut() {
            return;
        }
        let receiver = connection.receiver();
        let is_armed = connection.recv.is_armed();
        // Armed is enough, unless what lies unread came before that, and no doorbell stands in the kernel's queue for it.
        if is_armed && (!receiver.has_news() || receiver.is_rung()) {
            return;
        }
        let mark = receiver.consumed() as u32;
        if connection.touched.swap(mark, Ordering::Relaxed) != mark {
            moving = true;
            return;
        }
        let alone = connection.recv_gate.try_alone(crate::process::id());
        let Some(_alone) = alone.filter(|_| is_still_at(connection, fd)) else {
            moving = true;
            return;
        };
        if hot::is_slept_on(connection, fd) {
            note_rescue();
        }
        if !is_armed {
            receiver.arm();
        }
        if receiver.has_news() {
            // Data lies unread and nobody may be polling: the peer is asked for a doorbell that every waiter sees.
            connection.notify_peer();
        }
    });
    each_paired(|connection, fd| {
        if connection.send.owes_return() || connection.sender().is_retracted() || connection.has(flag::SHUT_DUE) {
            if let Some(_alone) = settled(connection, fd)
                && !connection.send.owes_return()
            {
                options::shut_if_due(connection, fd, true);
            }
            moving = true;
        }
    });
    moving
}
