//! Moves between the roads: when a stream may switch, how it leaves, and how both directions move back for good.
use crate::connection::{Connection, ConnectionReceiver, ConnectionSender, flag, phase};
use crate::spin::{self, Interrupted};
use crate::wait::{hot, shared};
use crate::{ON_STACK, again, doorbell, end, pairing, safety_net, service, settings, table};
use vmmc_os::{Errno, abi, clock, kernel, process};
use vmmc_protocol::{Reason, record::count};
use vmmc_stream::{Back, Lie, Next, Road};
use vmmc_sync::Ordering;

/// A blocking sender of bulk data lets the receiver catch up for at most so many rounds of [`ROUND_MICROS`]; the receiver
/// works through the kernel's queue all the while, so nothing is lost by it.
const CATCH_UP_ROUNDS: u32 = 200;
/// It gives up when the receiver has read nothing for so many rounds.
const CATCH_UP_IDLE_ROUNDS: u32 = 10;
/// It does so once in this many kernel calls.
const CATCH_UP_EVERY: u64 = 32;
/// Longest wait for the peer in a move back; in rounds of [`ROUND_MICROS`].
pub(crate) const MOVE_BACK_ROUNDS: u32 = 20_000;
pub(crate) const ROUND_MICROS: u32 = 100;
/// Rounds without an answer after which the sender is asked again, and the kernel for news of it.
const ROUNDS_TO_ASK_AGAIN: u32 = 8;
const ROUNDS_TO_ASK_KERNEL: u32 = 64;
/// Longest wait for the first byte that comes back by the kernel road.
const RETURN_ROUNDS: u32 = 2_000;
/// So long a sender holds for a peer that sends no more and may be dead: longer than a receiver tries.
const HALF_CLOSED_HOLD_MICROS: u32 = 6_000_000;

/// The kernel's counts together with the bytes in one of its queues, of one instant. `None`: they change under our eyes.
fn counts_with_queue(fd: i32, queue: u64) -> Option<(kernel::TcpCounts, u64)> {
    for _ in 0..4 {
        let before = kernel::tcp_counts(fd).ok()?;
        let queued = kernel::ioctl_int(fd, queue).ok()?;
        let after = kernel::tcp_counts(fd).ok()?;
        if before == after {
            return Some((after, queued as u64));
        }
    }
    None
}

/// Whether the bytes that we counted are the bytes that the kernel counted. Where the kernel tells nobody, the peer's count
/// has to be ours: then what this end sent and the peer received has all passed the two of us. `None`: not yet.
fn sent_agrees(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>) -> Option<bool> {
    if !kernel::HAS_TCP_COUNTS {
        return if sender.is_overtaken() { Some(false) } else { (sender.lag() == 0).then_some(true) };
    }
    let (counts, queued) = counts_with_queue(fd, abi::TIOCOUTQ)?;
    let syn = u64::from(connection.has(flag::ACTIVE));
    Some(counts.acked.wrapping_add(queued).wrapping_sub(syn) == connection.send.kernel_bytes())
}

/// As [`sent_agrees`], for what came in. Where the kernel tells nobody, the sender finds out.
fn received_agrees(connection: &Connection, fd: i32) -> Option<bool> {
    if !kernel::HAS_TCP_COUNTS {
        return Some(true);
    }
    let (counts, queued) = counts_with_queue(fd, abi::FIONREAD)?;
    Some(counts.received.wrapping_sub(queued) == connection.recv.kernel_bytes())
}

/// Whether this end can say that it honours a switch: it receives through intercepted calls, and the counts agree.
/// The receive gate is held.
pub(crate) fn may_honour_switch(connection: &'static Connection, fd: i32) -> bool {
    if connection.is_forbidden() || connection.has(flag::PEER_FINISHED | flag::BROKEN) {
        return false;
    }
    match received_agrees(connection, fd) {
        Some(true) => true,
        // The kernel counts the peer's FIN as a byte.
        Some(false) if end::kernel_says_ended(fd) => false,
        Some(false) => {
            connection.forbid(Reason::COUNTS_DIFFER);
            connection.object(Reason::COUNTS_DIFFER);
            false
        }
        None => false,
    }
}

fn explain_outgoing(connection: &Connection, reason: Reason) {
    connection.record.outgoing.reason.store(u32::from(reason.number()), Ordering::Relaxed);
}

/// Switches the outgoing stream if everything allows it. The send gate is held. `true`: it is on the VMMC road now.
pub(crate) fn try_switch(
    connection: &'static Connection,
    fd: i32,
    sender: &ConnectionSender<'_>,
    wait: bool,
) -> Result<bool, Interrupted> {
    if connection.is_forbidden() || connection.has(flag::BROKEN | flag::SEND_SHUT) || !sender.may_switch() {
        return Ok(false);
    }
    if connection.has(flag::PEER_FINISHED) {
        explain_outgoing(connection, Reason::PEER_FINISHED);
        return Ok(false);
    }
    // Unread data before the first doorbell could go to nobody else any more once the sender has ended: the doorbell stands between
    // that and what is sent again.
    if sender.lag() > 0 && !(wait && caught_up(connection, sender)?) {
        explain_outgoing(connection, Reason::TOO_FAR_BEHIND);
        return Ok(false);
    }
    match sent_agrees(connection, fd, sender) {
        Some(true) => {}
        Some(false) => {
            connection.forbid(Reason::COUNTS_DIFFER);
            connection.object(Reason::COUNTS_DIFFER);
            return Ok(false);
        }
        None => return Ok(false),
    }
    // Of a connection that is gone the kernel tells its sender, and nobody reads the ring.
    if end::find_ended(connection, fd) {
        explain_outgoing(connection, Reason::PEER_FINISHED);
        return Ok(false);
    }
    clear_the_way(connection, fd);
    if !sender.switch() {
        explain_outgoing(connection, Reason::PEER_MOVED_BACK);
        return Ok(false);
    }
    connection.record.outgoing.road.store(1, Ordering::Relaxed);
    explain_outgoing(connection, Reason::NONE);
    count(&connection.record.outgoing.switches, 1);
    Ok(true)
}

/// A blocking sender of bulk data is always ahead of the receiver: now and then it lets it catch up.
fn caught_up(connection: &Connection, sender: &ConnectionSender<'_>) -> Result<bool, Interrupted> {
    let calls = connection.record.outgoing.kernel_messages.load(Ordering::Relaxed);
    if !calls.is_multiple_of(CATCH_UP_EVERY) {
        return Ok(false);
    }
    let (mut lag, mut idle) = (sender.lag(), 0);
    spin::heeding(None, || {
        for _ in 0..CATCH_UP_ROUNDS {
            process::sleep_micros(ROUND_MICROS);
            let before = core::mem::replace(&mut lag, sender.lag());
            idle = if lag < before { 0 } else { idle + 1 };
            if lag == 0 || idle > CATCH_UP_IDLE_ROUNDS {
                break;
            }
        }
        lag == 0
    })
}

/// Doorbells must wait neither for Nagle's algorithm nor under a cork.
fn clear_the_way(connection: &Connection, fd: i32) {
    let option = |name| {
        let mut value = [0u8; 4];
        kernel::getsockopt(fd, abi::IPPROTO_TCP, name, &mut value).is_ok() && i32::from_ne_bytes(value) != 0
    };
    if !connection.has(flag::NODELAY_OURS) {
        connection.set(flag::NODELAY_ASKED, option(abi::TCP_NODELAY));
        let _ = kernel::setsockopt(fd, abi::IPPROTO_TCP, abi::TCP_NODELAY, &1i32.to_ne_bytes());
        connection.set(flag::CORK_ASKED, option(abi::TCP_CORK));
        connection.set(flag::NODELAY_OURS, true);
    }
    if connection.has(flag::CORK_ASKED) {
        let _ = kernel::setsockopt(fd, abi::IPPROTO_TCP, abi::TCP_CORK, &0i32.to_ne_bytes());
    }
}

/// Gives the application's own options back to the kernel.
fn restore_options(connection: &Connection, fd: i32) {
    if connection.has(flag::NODELAY_OURS) {
        connection.set(flag::NODELAY_OURS, false);
        let asked = |flag| i32::from(connection.has(flag)).to_ne_bytes();
        let _ = kernel::setsockopt(fd, abi::IPPROTO_TCP, abi::TCP_NODELAY, &asked(flag::NODELAY_ASKED));
        let _ = kernel::setsockopt(fd, abi::IPPROTO_TCP, abi::TCP_CORK, &asked(flag::CORK_ASKED));
    }
}

fn note_left(connection: &Connection, reason: Reason) {
    connection.record.outgoing.road.store(0, Ordering::Relaxed);
    explain_outgoing(connection, reason);
    count(&connection.record.outgoing.switches, 1);
}

/// Moves the outgoing stream back to the kernel road from the next byte on. The send gate is held.
pub(crate) fn leave(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>, reason: Reason) {
    if connection.send.road() == Road::Vmmc {
        sender.leave_again(again::send(connection, fd, sender, reason));
        note_left(connection, reason);
    }
}

/// The incoming stream has moved: for the record, and for the epoll sets that watch it.
pub(crate) fn note_incoming(connection: &'static Connection, fd: i32) {
    let on_ring = connection.recv.road() == Road::Vmmc;
    let record = &connection.record.incoming;
    if record.road.swap(u32::from(on_ring), Ordering::Relaxed) != u32::from(on_ring) {
        count(&record.switches, 1);
    }
    record
        .reason
        .store(u32::from(if on_ring { Reason::NONE } else { Reason::PEER_MOVED_BACK }.number()), Ordering::Relaxed);
    service::active();
    hot::notice(connection, fd);
}

/// Answers a retract, and puts bytes that the peer gives back on the kernel road before anything new.
/// The send gate is held. `EAGAIN` if that is not possible yet: nobody waits for that, which may be for ever, with the gate shut.
#[inline]
pub(crate) fn settle_return(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>) -> Result<(), Errno> {
    if sender.is_retracted() {
        answer_retract(connection, fd, sender);
    }
    if connection.send.owes_return() { return_all(connection, fd, sender) } else { Ok(()) }
}

/// Holds, unless bytes that come back could not go down the kernel road behind all others: nothing follows a FIN, and where
/// others write past us nobody knows where they stand.
#[cold]
fn answer_retract(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>) {
    let was_on_ring = connection.send.road() == Road::Vmmc;
    let others_write = connection.has(flag::HANDED_OVER) || sent_agrees(connection, fd, sender) == Some(false);
    connection.held_since.store(clock::ticks(), Ordering::Relaxed);
    sender.answer_retract(!others_write && !connection.has(flag::SEND_SHUT | flag::BROKEN));
    if was_on_ring {
        note_left(connection, Reason::PEER_MOVED_BACK);
    }
}

#[cold]
fn return_all(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>) -> Result<(), Errno> {
    let mut piece = [0u8; ON_STACK];
    let punished = |lie| end::punish(connection, fd, lie);
    while !sender.is_released().map_err(punished)? {
        let n = sender.next_return(&mut piece).map_err(punished)?;
        if n > 0 {
            let piece = piece.get(..n).unwrap_or_default();
            sender.return_sent(kernel::send(fd, piece, abi::MSG_NOSIGNAL | abi::MSG_DONTWAIT)?);
        } else if receiver_is_gone(connection, fd) {
            sender.give_return_up();
        } else {
            return Err(Errno(abi::EAGAIN));
        }
    }
    Ok(())
}

/// Whether nobody will give anything back any more. A peer that has only shut its sending side down still receives; one that
/// was killed looks the same until something is sent to it, but does not answer.
fn receiver_is_gone(connection: &Connection, fd: i32) -> bool {
    let events = kernel::events_now(fd, abi::POLLRDHUP);
    let held = clock::ticks().wrapping_sub(connection.held_since.load(Ordering::Relaxed));
    events & (abi::POLLHUP | abi::POLLERR) != 0
        || events & abi::POLLRDHUP != 0 && held > settings::ticks(HALF_CLOSED_HOLD_MICROS)
}

/// What the peer asks for or gives back is settled before the kernel's socket goes its own way: bounded. `false`: it is not.
pub(crate) fn settle_before_end(connection: &Connection, fd: i32) -> bool {
    let sender = connection.sender();
    for _ in 0..MOVE_BACK_ROUNDS {
        if !sender.is_retracted() && !connection.send.owes_return() {
            return true;
        }
        let settled =
            connection.send_gate.try_alone(crate::process::id()).map(|_alone| settle_return(connection, fd, &sender));
        match settled {
            Some(Err(error)) if error.0 != abi::EAGAIN => {
                end::keep_error(connection, error);
                return true;
            }
            Some(Ok(())) => return true,
            _ => process::sleep_micros(ROUND_MICROS),
        }
    }
    false
}

/// Moves both directions of `fd` back to the kernel road for good. Returns when the kernel road alone carries data; what
/// was unread in the ring then stands in the kernel's queue, or will before anything new.
pub(crate) fn move_back(fd: i32, reason: Reason) {
    let Some(connection) = forbidden(fd, reason) else { return };
    end::take_false_reset(connection, fd);
    if let Some(_alone) = connection.send_gate.alone(crate::process::id()) {
        leave(connection, fd, &connection.sender(), reason);
        explain_outgoing(connection, reason);
    }
    incoming_back(connection, fd, reason);
    if !settle_before_end(connection, fd) {
        connection.reset(fd, reason);
    }
    if connection.sender().lag() > 0 {
        // Doorbells: see `safety_net::take_last_doorbells`.
        connection.notify_peer();
    }
    connection.set(flag::HANDED_OVER, true);
    restore_options(connection, fd);
}

/// The first half of moving several connections back: what comes in. Where they are each other's ends, a sender that others
/// may write past already could not take unread bytes back.
pub(crate) fn move_incoming_first(fd: i32, reason: Reason) {
    if let Some(connection) = forbidden(fd, reason) {
        end::take_false_reset(connection, fd);
        incoming_back(connection, fd, reason);
    }
}

/// Nothing new is begun on the connection from now on; `None` if nothing has been begun.
fn forbidden(fd: i32, reason: Reason) -> Option<&'static Connection> {
    let connection = table::lookup(fd)?;
    connection.forbid(reason);
    if connection.phase.load(Ordering::Relaxed) == phase::PAIRED {
        return Some(connection);
    }
    pairing::withdraw(connection);
    None
}

fn incoming_back(connection: &'static Connection, fd: i32, reason: Reason) {
    shared::before_move(fd);
    if let Some(_alone) = connection.recv_gate.alone(crate::process::id()) {
        let receiver = connection.receiver();
        match move_incoming_back(connection, fd, &receiver, reason) {
            Ok(true) => note_incoming(connection, fd),
            Ok(false) if is_read_here(connection, reason) => {}
            Ok(false) => connection.reset(fd, reason),
            Err(lie) => drop(end::punish(connection, fd, lie)),
        }
        connection.record.incoming.reason.store(u32::from(reason.number()), Ordering::Relaxed);
    }
    shared::after_move(fd);
}

/// Unread bytes stayed in the ring, and that takes them from nobody: another program inherits the socket as well, but it
/// is a process of ours that goes on reading. Not so if the reader itself becomes that program, which would find doorbells:
/// who that is can only be guessed, by who had the connection paired.
fn is_read_here(connection: &Connection, reason: Reason) -> bool {
    let is_reader = connection.paired_by.load(Ordering::Relaxed) == crate::process::id();
    reason == Reason::INHERITED
        && (!crate::process::is_about_to_execute() || connection.references.load(Ordering::Relaxed) > 1 && !is_reader)
}

/// `Ok(false)`: the sender does not answer, or cannot take bytes back; unread ones are where they were.
fn move_incoming_back(
    connection: &'static Connection,
    fd: i32,
    receiver: &ConnectionReceiver<'_>,
    reason: Reason,
) -> Result<bool, Lie> {
    again::follow(connection, fd, receiver)?;
    if !receiver.retract()? {
        return Ok(true);
    }
    let mut idle = 0;
    while idle < MOVE_BACK_ROUNDS {
        match receiver.give_back()? {
            Back::Done => {
                await_return(fd, receiver);
                return Ok(true);
            }
            Back::Refused => break,
            Back::Kernel { limit } if given_from_kernel(fd, receiver, limit)? => {
                idle = 0;
                continue;
            }
            _ => idle += 1,
        }
        if idle % ROUNDS_TO_ASK_AGAIN == 0 {
            receiver.retract()?;
            // The sender may be another socket of this process, and its service thread not there.
            safety_net::answer_peers();
        }
        if idle % ROUNDS_TO_ASK_KERNEL == 0 && end::kernel_says_ended(fd) {
            break;
        }
        process::sleep_micros(ROUND_MICROS);
    }
    if receiver.has_given_back() {
        // They stand behind others now: there is no way to go on in order.
        connection.reset(fd, reason);
        return Ok(true);
    }
    receiver.release();
    if again::follow(connection, fd, receiver)? {
        return Ok(true);
    }
    let doorbells = match receiver.look()? {
        Next::Data(_) => return Ok(false),
        Next::Empty { doorbells } => doorbells,
        Next::Kernel { limit } if connection.recv.road() == Road::Vmmc => limit,
        Next::Kernel { .. } => 0,
    };
    // Whoever reads the kernel's queue from now on would take them for data.
    doorbell::drain(connection, fd, receiver, doorbells.min(doorbell::queued(fd) as usize))?;
    Ok(true)
}

/// What was there to be read before is to be there afterwards: the first of the bytes that were given back, at least, for the
/// kernel's queue may not take all of them. Bounded, since a peer that has stopped sends nothing.
fn await_return(fd: i32, receiver: &ConnectionReceiver<'_>) {
    await_queued(RETURN_ROUNDS, || receiver.is_sent_again() || doorbell::queued(fd) > 0, || ());
}

/// Waits for what the peer is to put into the kernel's queue, so many rounds of [`ROUND_MICROS`]; `ask` asks for it now and then.
pub(crate) fn await_queued(rounds: u32, is_there: impl Fn() -> bool, ask: impl Fn()) {
    for round in 0..rounds {
        if is_there() {
            return;
        }
        if round % ROUNDS_TO_ASK_AGAIN == 0 {
            ask();
            // The peer may be another socket of this process, and its service thread not there.
            safety_net::answer_peers();
        }
        process::sleep_micros(ROUND_MICROS);
    }
}

/// Whether the kernel had something; it has been given back. What the kernel has to say behind its bytes is not heard here,
/// for it says it once: whoever reads on is to hear it.
#[inline(never)]
fn given_from_kernel(fd: i32, receiver: &ConnectionReceiver<'_>, limit: usize) -> Result<bool, Lie> {
    let mut piece = [0u8; ON_STACK];
    let Some(piece) = piece.get_mut(..limit.min(ON_STACK).min(doorbell::queued(fd) as usize)) else { return Ok(false) };
    if piece.is_empty() {
        return Ok(false);
    }
    match kernel::recv(fd, piece, abi::MSG_DONTWAIT) {
        Ok(n @ 1..) => receiver.give_back_from_kernel(piece.get(..n).unwrap_or_default()).map(|()| true),
        _ => Ok(false),
    }
}
