//! How connections end: what the kernel says, a peer that breaks the protocol, and close.
use crate::connection::{Connection, ConnectionSender, flag};
use crate::{arena, doorbell, family, options, pairing, roads, service, table};
use vmmc_os::{Errno, abi, kernel};
use vmmc_protocol::Reason;
use vmmc_stream::{End, Lie, Next, Road};
use vmmc_sync::Ordering;

/// Longest wait for a doorbell that has been asked for, in rounds of [`roads::ROUND_MICROS`].
const DOORBELL_ROUNDS: u32 = 200;
const GONE: i16 = abi::POLLHUP | abi::POLLERR;
const ENDED: i16 = abi::POLLRDHUP | GONE;

/// Whether the kernel knows that the peer sends no more, or that the connection is gone. One system call.
pub(crate) fn kernel_says_ended(fd: i32) -> bool {
    kernel::events_now(fd, abi::POLLRDHUP) & ENDED != 0
}

/// Whether the kernel knows that the connection is gone. One system call.
pub(crate) fn is_gone(fd: i32) -> bool {
    kernel::events_now(fd, 0) & GONE != 0
}

/// Whether the peer would answer a byte with a reset: it receives no more, or was killed and so has not said that it ends.
pub(crate) fn has_no_reader(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>) -> bool {
    let events = kernel::events_now(fd, abi::POLLRDHUP);
    // Where this end has shut its own receiving side down the kernel says so in any case.
    let has_ended = if connection.has(flag::RECV_SHUT) { sender.is_end_hinted() } else { events & ENDED != 0 };
    has_ended && !sender.is_half_closed() || events & GONE != 0
}

/// As [`kernel_says_ended`], and it is remembered.
pub(crate) fn find_ended(connection: &Connection, fd: i32) -> bool {
    let events = kernel::events_now(fd, abi::POLLRDHUP);
    let ended = events & ENDED != 0;
    if ended {
        connection.set(flag::PEER_FINISHED, true);
        if events & GONE != 0 && is_false_reset(connection) {
            connection.set(flag::FALSE_RESET, true);
        }
    }
    ended
}

/// The peer lied: the connection is reset; the error that the application sees.
pub(crate) fn punish(connection: &Connection, fd: i32, lie: Lie) -> Errno {
    let reason = match lie {
        Lie::Index => Reason::PEER_LIED,
        Lie::StrangerByte => Reason::STRANGER_BYTE,
    };
    connection.reset(fd, reason);
    Errno(abi::ECONNRESET)
}

/// What a receive returns when the kernel said `error` and the ring is empty. A peer whose process ended with a doorbell
/// of ours unread makes the kernel say "reset" where it would have said "end of stream" without us: then it is the latter.
pub(crate) fn received_error(connection: &Connection, error: Errno) -> Result<usize, Errno> {
    if error.0 == abi::ECONNRESET && is_false_reset(connection) {
        connection.set(flag::PEER_FINISHED | flag::FALSE_RESET, true);
        return Ok(0);
    }
    Err(error)
}

/// A kernel call of our own was told what the program is to hear: with its next send, at the end of what it receives, or if it asks.
pub(crate) fn keep_error(connection: &Connection, Errno(error): Errno) {
    // A full kernel buffer means unread bytes at the peer: it is awake already. And EPIPE is said again.
    if ![abi::EAGAIN, abi::EPIPE, abi::EINTR].contains(&error) {
        connection.send_error.store(error as u32, Ordering::Relaxed);
    }
}

/// What [`keep_error`] has kept, once.
pub(crate) fn kept_error(connection: &Connection) -> Option<Errno> {
    let is_kept = connection.send_error.load(Ordering::Relaxed) != 0;
    let error = if is_kept { connection.send_error.swap(0, Ordering::Relaxed) } else { 0 };
    (error != 0).then_some(Errno(error as i32))
}

/// Whether a send is the first one after an end of stream that the kernel takes for a reset. Without us the kernel would take
/// its bytes, and tell the next send that nobody has received them.
pub(crate) fn swallows(connection: &Connection, fd: i32) -> bool {
    let swallowed = connection.has(flag::FALSE_RESET) && !connection.has(flag::SEND_SHUT);
    if swallowed {
        connection.set(flag::FALSE_RESET, false);
        take_error(fd);
    }
    swallowed
}

/// Whoever has nothing but the kernel's word from now on is not to hear of a reset that would not have been one without us.
pub(crate) fn take_false_reset(connection: &Connection, fd: i32) {
    if is_false_reset(connection) && is_gone(fd) {
        take_error(fd);
    }
}

fn take_error(fd: i32) {
    let _ = kernel::getsockopt(fd, abi::SOL_SOCKET, abi::SO_ERROR, &mut [0; 4]);
}

/// The kernel says "reset", and it does so only because the peer's process ended with a doorbell of ours unread.
pub(crate) fn is_false_reset(connection: &Connection) -> bool {
    if connection.has(flag::FALSE_RESET) {
        return true;
    }
    if !connection.is_paired() || connection.has(flag::BROKEN) || connection.receiver().reset_hinted() {
        return false;
    }
    let sender = connection.sender();
    // What others have sent past us is in no count, and with both sides shut down the kernel resets by itself.
    !connection.has(flag::HANDED_OVER)
        && !connection.is_shut()
        && sender.only_doorbells_are_out()
        && sender.is_drained()
}

/// Takes the doorbells out of the kernel's queue and asks for no more, so that a close says FIN. `true`: bytes lie unread.
fn drain(connection: &'static Connection, fd: i32) -> bool {
    if !connection.is_paired() || connection.has(flag::BROKEN) {
        return false;
    }
    let Some(_alone) = connection.recv_gate.alone(crate::process::id()) else { return false };
    let receiver = connection.receiver();
    receiver.disarm();
    match receiver.look() {
        Ok(Next::Empty { doorbells }) => {
            let _ = doorbell::drain(connection, fd, &receiver, doorbells);
            matches!(receiver.look(), Ok(Next::Data(_)))
        }
        Ok(Next::Kernel { limit }) if connection.recv.road() == Road::Vmmc => {
            let _ = doorbell::drain(connection, fd, &receiver, limit);
            false
        }
        next => matches!(next, Ok(Next::Data(_))),
    }
}

/// The family's last descriptor of this socket is about to be closed, or the process ends: the kernel must say what it
/// would have said without us.
pub(crate) fn prepare_close(connection: &'static Connection, fd: i32) {
    send_again(connection, fd);
    let unread = drain(connection, fd) || connection.is_paired() && !roads::settle_before_end(connection, fd);
    if unread {
        // What the kernel does when bytes lie unread: the peer gets a reset. So it does if what it gave back cannot be sent.
        kernel::close_with_reset(fd);
    }
    if connection.is_paired() {
        let is_reset = unread || kernel::closes_with_reset(fd);
        connection.sender().hint_end(if is_reset { End::Reset } else { End::Whole });
        arm(connection);
    }
}

/// What the peer has not read, and will have no sender for, stands before the kernel's end of the stream; a reset takes nothing
/// away that has come. It takes a while, so the other direction is looked at afterwards: a reset is for what came until the close.
fn send_again(connection: &'static Connection, fd: i32) {
    if !connection.is_paired() {
        return;
    }
    let sender = connection.sender();
    if !sender.is_drained()
        && let Some(_alone) = connection.send_gate.alone(crate::process::id())
    {
        roads::leave(connection, fd, &sender, Reason::NO_SEND_SEEN);
    }
}

/// This process is about to let go of a connection that others of its family go on holding: perhaps a child that has never sent,
/// and so has nobody who would answer a peer that asks for the stream. So the peer is left nothing to ask for.
pub(crate) fn leave_to_others(connection: &'static Connection, fd: i32) {
    if let Some(_alone) = connection.send_gate.alone(crate::process::id()) {
        leave_to_others_alone(connection, fd);
    }
}

/// As [`leave_to_others`]. The send gate is held.
fn leave_to_others_alone(connection: &'static Connection, fd: i32) {
    options::shut_if_due(connection, fd, true);
    if family::is_shared(connection) && connection.is_paired() && service::is_running() {
        roads::leave(connection, fd, &connection.sender(), Reason::NO_SEND_SEEN);
    }
}

/// As [`prepare_close`], for an exec, which closes this descriptor only if it succeeds.
pub(crate) fn prepare_exec(connection: &'static Connection, fd: i32) {
    send_again(connection, fd);
    let unread = drain(connection, fd);
    if connection.is_paired() {
        arm(connection);
    }
    if unread {
        await_doorbell(connection, fd);
    }
}

/// Bytes lie unread in memory alone. With a doorbell unread the kernel's close is a reset, and if the exec fails it harms nobody.
/// Bounded, since the peer may have left the ring, or been stopped.
fn await_doorbell(connection: &'static Connection, fd: i32) {
    roads::await_queued(DOORBELL_ROUNDS, || doorbell::queued(fd) > 0, || connection.notify_peer());
}

/// A peer that sends to a closed socket learns of it from the kernel: what it puts in the ring has to be rung for.
fn arm(connection: &'static Connection) {
    if let Some(_alone) = connection.recv_gate.alone(crate::process::id()) {
        connection.receiver().arm();
    }
}

/// Before `connect(AF_UNSPEC)`: the peer is to see the reset that the kernel sends.
pub(crate) fn before_dissolve(connection: &Connection) {
    if connection.is_paired() {
        connection.sender().hint_end(End::Reset);
    }
}

/// The last reference to the connection is gone with a call that outlived its descriptors.
pub(crate) fn give_up(connection: &'static Connection) {
    close_kept(connection);
    pairing::release(connection);
    arena::give(connection);
}

/// As the kernel does, which ends the connection only when the last call on it has returned.
fn close_kept(connection: &'static Connection) {
    let kept = connection.kept.swap(0, Ordering::AcqRel);
    if kept != 0 {
        let fd = (kept - 1) as i32;
        prepare_close(connection, fd);
        table::clear(fd);
        let _ = kernel::close(fd);
    }
}

/// As [`forget`], for a descriptor that the kernel alone has served since the process sandboxed itself: without any call.
pub(crate) fn forget_plain(connection: &'static Connection, fd: i32) {
    table::clear(fd);
    if family::let_go(connection) {
        give_up(connection);
    }
}

/// Forgets `fd`, whose kernel descriptor is about to be closed (or already stands for something else: `gone`).
pub(crate) fn forget(connection: &'static Connection, fd: i32, gone: bool) {
    crate::process::outlive_exec();
    let exiting = crate::process::is_exiting();
    if connection.references.load(Ordering::Acquire) > 1 {
        family::forget_dead(connection);
    }
    let last = connection.references.load(Ordering::Acquire) == u32::from(!exiting);
    if last && !gone {
        prepare_close(connection, fd);
    }
    // The gate makes sure that nobody who looked the number up is about to use it.
    let send = connection.send_gate.alone(crate::process::id());
    let recv = connection.recv_gate.alone(crate::process::id());
    if !last && !gone && !exiting {
        family::keep_for_sleepers(connection, fd);
        let is_in_use = connection.send.road() == Road::Vmmc || connection.has(flag::SHUT_DUE);
        if send.is_some() && is_in_use && table::is_only_one(fd, connection) {
            leave_to_others_alone(connection, fd);
        }
    }
    let counting = crate::process::counting();
    table::clear(fd);
    let was_last = !exiting && family::let_go(connection);
    drop(counting);
    // Under the gates: nobody may write into a slot that is given back.
    if was_last {
        pairing::release(connection);
    }
    drop((send, recv));
    if was_last {
        // Whoever slept has gone meanwhile.
        close_kept(connection);
        arena::give(connection);
    }
}
