//! What this process asks the broker for: connections are queued by whichever thread finds them worth it, and offered by the
//! service thread.
//!
//! Until the broker has read an offer, its queue holds a duplicate of the socket, and the peer does not hear of a close. So the
//! broker is first asked whether it listens: one that has been stopped is offered nothing.
use super::{Service, wake};
use crate::connection::{Connection, phase};
use crate::{address, arena, pairing, table};
use vmmc_protocol::Reason;
use vmmc_sync::{AtomicUsize, Ordering};

/// Connections to be asked for: a stack through `Connection::next_asked`.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Asks the broker for `connection`, whose phase the caller has just set to ASKED. Never waits.
pub(crate) fn ask(connection: &'static Connection) {
    let own = crate::process::id();
    if let Err(other) = connection.queued.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire) {
        // In this process's queue it will be seen. Where another of the family asks as well, a later data call asks again.
        if other != own {
            not_asked(connection);
        }
        return;
    }
    let address = core::ptr::from_ref(connection) as usize;
    let mut head = ASKED.load(Ordering::Relaxed);
    loop {
        connection.next_asked.store(head as u64, Ordering::Relaxed);
        match ASKED.compare_exchange_weak(head, address, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => break,
            Err(now) => head = now,
        }
    }
    wake();
}

/// In a forked child: what the parent has asked for is the parent's.
pub(super) fn forget() {
    ASKED.store(0, Ordering::Relaxed);
}

/// Takes everything out of the queue.
fn each_asked(mut visit: impl FnMut(&'static Connection)) {
    let mut address = ASKED.swap(0, Ordering::Acquire);
    while address != 0 {
        let connection = arena::at(address);
        address = connection.next_asked.load(Ordering::Relaxed) as usize;
        // Whoever asks from here on queues it again, or has its phase seen by the visitor.
        let own = crate::process::id();
        if connection.queued.compare_exchange(own, 0, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            // This process ends and has taken back what it asked; the next one may stand in another process's queue.
            break;
        }
        visit(connection);
    }
}

impl Service {
    /// If anything is asked for, the broker is asked whether it listens.
    pub(super) fn knock(&mut self) {
        if ASKED.load(Ordering::Relaxed) == 0 && !self.unsent {
            return;
        }
        self.unsent = !self.connect();
        if self.unsent {
            each_asked(|connection| {
                connection.explain(Reason::NO_BROKER);
                connection.object(Reason::NO_BROKER);
            });
        } else if !self.has_knocked {
            self.has_knocked = self.client.as_ref().is_some_and(|client| client.knock().is_ok());
            self.unsent = !self.has_knocked;
        }
    }

    /// The broker listens: it is offered all that is asked for.
    pub(super) fn offer_all(&mut self) {
        self.has_knocked = false;
        each_asked(|connection| self.offer(connection));
        if core::mem::take(&mut self.is_new) {
            // Whatever the last broker was asked, this one has not heard of.
            each_connection(|connection, _| {
                if connection.phase.load(Ordering::Relaxed) == phase::ASKED {
                    connection.record.paired.store(0, Ordering::Relaxed);
                    self.offer(connection);
                }
            });
        }
    }

    /// Shows the broker the socket. A descriptor that was closed meanwhile may have shown it another one: then the offer
    /// is taken back (close empties the table's entry first).
    pub(super) fn offer(&self, connection: &'static Connection) {
        if connection.phase.load(Ordering::Relaxed) != phase::ASKED {
            return;
        }
        if pairing::held_elsewhere(connection) {
            connection.explain(Reason::SHARED_BEFORE_PAIRING);
            return not_asked(connection);
        }
        let token = pairing::token(connection);
        let Some(fd) = table::descriptor_of(connection) else { return not_asked(connection) };
        if !address::is_local(connection, fd) {
            connection.forbid(Reason::REMOTE_PEER);
            return;
        }
        connection.explain(Reason::PAIRING);
        let offered = self.client.as_ref().map(|client| client.offer(token, fd));
        if !matches!(offered, Some(Ok(()))) {
            not_asked(connection);
        }
        if !table::is_at(fd, connection) || pairing::token(connection) != token {
            super::withdraw(token);
        }
    }
}

/// This process ends: what it has asked for is not asked any more, so that others of its family can ask.
pub(crate) fn take_back(connection: &Connection) {
    not_asked(connection);
    let _ = connection.queued.compare_exchange(crate::process::id(), 0, Ordering::AcqRel, Ordering::Relaxed);
}

/// The broker was not asked after all; more data calls will ask again.
fn not_asked(connection: &Connection) {
    let _ = connection.phase.compare_exchange(phase::ASKED, phase::NONE, Ordering::Relaxed, Ordering::Relaxed);
}

pub(super) fn refused(connection: &'static Connection, reason: Reason) {
    connection.explain(reason);
    let next = if reason.row().is_final { phase::REFUSED } else { phase::NONE };
    let _ = connection.phase.compare_exchange(phase::ASKED, next, Ordering::Relaxed, Ordering::Relaxed);
    connection.object(reason);
}

/// No connection that was worth asking for will be paired: an offer may have failed before it was heard why.
pub(super) fn refuse_asked(reason: Reason) {
    each_connection(|connection, _| {
        if connection.ask_after.load(Ordering::Relaxed) > 0 && !connection.is_paired() {
            connection.forbid(reason);
        }
    });
}

fn each_connection(mut visit: impl FnMut(&'static Connection, i32)) {
    table::each_in(0, u32::MAX, |fd, entry| {
        if let table::Entry::Socket(connection) = entry {
            visit(connection, fd);
        }
    });
}
