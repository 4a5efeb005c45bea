//! Sockets whose waiters make no call of ours: a window gets messages, a thread waits for an event object
//! (`WSAAsyncSelect`, `WSAEventSelect`).
//!
//! The kernel tells such a waiter of doorbells as it tells it of data: so a watched connection is armed whenever its ring is
//! empty, with the doorbells taken out of the kernel's queue, which enables the kernel's next report. While bytes lie in the
//! ring no doorbell will come, and the face is told instead: it posts the message, or sets the event, by itself. What the
//! kernel says of the end, which it does without regard to the ring, the face can keep back until the ring is empty.
use super::ready;
use crate::connection::Connection;
use crate::{doorbell, end, table};
use vmmc_stream::Next;
use vmmc_sync::{AtomicU64, AtomicUsize, Ordering};

/// In a socket's watchers word: what comes is told of.
const WATCHED: u64 = 1;
/// In a socket's watchers word: the face has kept its end back.
const END_KEPT: u64 = 2;

/// What a watched socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Something to receive, which no doorbell will tell of.
    Bytes,
    /// Nothing left to receive before the end that was kept back.
    End,
}

/// The face's function, once it has given one.
static ANNOUNCE: AtomicUsize = AtomicUsize::new(0);

/// `announce` is called from now on with a socket and its news: after a receive that left bytes, or that took the last ones
/// before an end that is kept back; at a move; and at [`watch`]. It is called with the socket locked: it may not wait, and may
/// not call into this crate.
pub fn on_news(announce: fn(i32, News)) {
    ANNOUNCE.store(announce as usize, Ordering::Release);
}

fn announce(fd: i32, news: News) {
    let address = ANNOUNCE.load(Ordering::Acquire);
    if address != 0 {
        // SAFETY: `on_news` alone stores there, and functions of this type.
        let announce = unsafe { core::mem::transmute::<usize, fn(i32, News)>(address) };
        announce(fd, news);
    }
}

/// Reports of readability on `fd` go to a window or an event from now on (`on`), or no more. Call it after the kernel's own
/// call has succeeded.
pub fn watch(fd: i32, on: bool) {
    let (Some(connection), Some(word)) = (table::lookup(fd), table::watchers(fd)) else { return };
    word.store(if on { WATCHED } else { 0 }, Ordering::Release);
    if let Some(_alone) = connection.recv_gate.alone(crate::process::id()) {
        notice(connection, fd);
    }
}

/// The kernel has told of the end. `true`: bytes lie before it, and once they have been received [`News::End`] is announced.
pub fn keep_end_back(fd: i32) -> bool {
    let (Some(connection), Some(word)) = (table::lookup(fd), table::watchers(fd)) else { return false };
    let alone = connection.recv_gate.alone(crate::process::id());
    let has_bytes = alone.is_some() && ready::on_ring(connection) && ready::has_bytes(connection);
    if has_bytes {
        word.fetch_or(END_KEPT, Ordering::AcqRel);
    }
    has_bytes
}

/// The connection's ring has been read, or its road has changed. The receive gate is held.
#[inline]
pub(crate) fn notice(connection: &'static Connection, fd: i32) {
    if let Some(word) = table::watchers(fd)
        && word.load(Ordering::Acquire) != 0
    {
        tell(connection, fd, word);
    }
}

#[cold]
fn tell(connection: &'static Connection, fd: i32, word: &AtomicU64) {
    let (bits, on_ring) = (word.load(Ordering::Acquire), ready::on_ring(connection));
    if bits & WATCHED != 0 && on_ring {
        arm_or_announce(connection, fd);
    }
    if bits & END_KEPT != 0 && !(on_ring && ready::has_bytes(connection)) {
        word.fetch_and(!END_KEPT, Ordering::AcqRel);
        announce(fd, News::End);
    }
}

fn arm_or_announce(connection: &'static Connection, fd: i32) {
    let receiver = connection.receiver();
    if let Ok(Next::Empty { doorbells }) = receiver.look() {
        if doorbells > 0
            && let Err(lie) = doorbell::drain(connection, fd, &receiver, doorbells)
        {
            end::punish(connection, fd, lie);
        }
        if !connection.recv.is_armed() {
            receiver.arm();
        }
    }
    if ready::has_news(connection) {
        announce(fd, News::Bytes);
    }
}

/// Whether a call sleeps in the kernel on the socket.
pub(crate) fn is_slept_on(connection: &Connection, _fd: i32) -> bool {
    connection.sleepers.load(Ordering::SeqCst) > 0
}

/// The socket is closed.
pub(crate) fn forget(fd: i32) {
    if let Some(word) = table::watchers(fd) {
        word.store(0, Ordering::Release);
    }
}

// What follows is asked where another system has sets of descriptors, which are descriptors themselves, and processes that
// fork. Here no entry of the table is such a set.

/// A wait on a set within.
pub(super) struct Armed {
    /// There is news.
    pub(super) news: bool,
}

pub(super) fn arm(_set: usize) -> Armed {
    Armed { news: false }
}
pub(crate) fn is_accelerated(_set: usize) -> bool {
    false
}
pub(super) fn has_news(_set: usize) -> bool {
    false
}
pub(super) fn is_ready(_set: usize, _fd: i32) -> bool {
    false
}
pub(super) fn catch_up(_set: usize, _fd: i32) {}
pub(crate) fn closed(_set: usize) {}
pub(crate) fn expect_ring(_connection: &Connection, _fd: i32) {}
pub(crate) fn before_move(_fd: i32) {}
pub(crate) fn after_move(_fd: i32) {}
pub(crate) fn note_shut(_fd: i32) {}
pub(crate) fn tell_kernel() {}
pub(crate) fn before_fork() {}
pub(crate) fn after_fork_in_child() {}
pub(crate) fn leave_to_kernel(_epfd: i32, _set: usize) {}
pub(crate) fn shared(_set: usize) {}
pub(crate) fn lock_all() {}
pub(crate) fn unlock_all() {}
pub(crate) fn forget_sleepers() {}
