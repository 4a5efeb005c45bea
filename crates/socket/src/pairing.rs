//! When the broker is asked for a connection, and what its answers mean. The service thread does the talking.
use crate::connection::{Connection, flag, kind, phase};
use crate::{service, table};
use vmmc_os::clock;
use vmmc_protocol::{Reason, record::DirectionRecord};
use vmmc_sync::Ordering;

/// Data calls after which a connection is worth a set-up; a request and its answer are not.
const CALLS_LEAST: u64 = 4;
/// Bytes after which it is, however few the calls.
const BYTES_LEAST: u64 = 64 * 1024;
/// An other end that was called so often and for so long without asking as well is none of ours: the connection is given
/// up, and costs nothing from then on.
const GIVE_UP_CALLS: u64 = 4096;
const GIVE_UP_MILLIS: u32 = 1000;

/// After a data call on the kernel road: asks for pairing if this connection has become worth it. Never waits.
#[inline]
pub(crate) fn consider(connection: &'static Connection) {
    match connection.phase.load(Ordering::Relaxed) {
        phase::NONE => weigh(connection),
        phase::ASKED if calls(connection).is_multiple_of(GIVE_UP_CALLS) => doubt(connection),
        _ => {}
    }
}

fn calls(connection: &Connection) -> u64 {
    sum(connection, |record| &record.kernel_messages)
}

fn sum(connection: &Connection, pick: fn(&DirectionRecord) -> &vmmc_sync::AtomicU64) -> u64 {
    pick(&connection.record.outgoing).load(Ordering::Relaxed)
        + pick(&connection.record.incoming).load(Ordering::Relaxed)
}

/// Low bits of the monotonic clock's milliseconds.
fn millis() -> u32 {
    clock::monotonic().as_millis() as u32
}

/// Gives up an end that does not ask. Not while there is no broker: it may just not have come back.
#[cold]
fn doubt(connection: &'static Connection) {
    let waited = millis().wrapping_sub(connection.asked_since.load(Ordering::Relaxed));
    if waited >= GIVE_UP_MILLIS && service::has_broker() {
        connection.forbid(Reason::NO_PEER);
        withdraw(connection);
    }
}

#[cold]
fn weigh(connection: &'static Connection) {
    let calls = calls(connection);
    let least = CALLS_LEAST.max(u64::from(connection.ask_after.load(Ordering::Relaxed)));
    if calls < least && (sum(connection, |record| &record.kernel_bytes) < BYTES_LEAST || least > CALLS_LEAST) {
        return;
    }
    if connection.record.kind.load(Ordering::Relaxed) != kind::CONNECTION
        || connection.has(flag::PEER_FINISHED | flag::SEND_SHUT)
    {
        return;
    }
    if connection.phase.compare_exchange(phase::NONE, phase::ASKED, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        connection.ask_after.store(u32::try_from(calls.saturating_mul(2)).unwrap_or(u32::MAX), Ordering::Relaxed);
        connection.asked_since.store(millis(), Ordering::Relaxed);
        connection.explain(Reason::PAIRING);
        service::ask(connection);
    }
}

/// Whether a process other than this one holds the socket; at an end of the process, whether it may.
pub(crate) fn held_elsewhere(connection: &'static Connection) -> bool {
    // A dup by another thread must not be seen in the table and missed among the references.
    let _counting = crate::process::counting();
    if crate::process::is_exiting() {
        return true;
    }
    if connection.references.load(Ordering::Acquire) > 1 {
        crate::family::forget_dead(connection);
    }
    let references = connection.references.load(Ordering::Acquire);
    // The usual case, without a walk. Without a descriptor here the one reference is somebody else's: a child's, say, of a
    // parent that has closed the socket since it asked.
    if references == 1 && table::descriptor_of(connection).is_some() {
        return false;
    }
    let mut here = 0;
    table::each_in(0, u32::MAX, |_, entry| {
        if let table::Entry::Socket(found) = entry
            && core::ptr::eq(found, connection)
        {
            here += 1;
        }
    });
    references > here
}

/// The broker's name for a connection: its address, and the low bits of its generation.
pub(crate) fn token(connection: &Connection) -> u64 {
    core::ptr::from_ref(connection) as u64 | u64::from(connection.generation.load(Ordering::Relaxed) & 0x7fff) << 48
}

/// The connection of a token, if it is still the one that was asked for.
pub(crate) fn of_token(token: u64) -> Option<&'static Connection> {
    let address = (token & 0xffff_ffff_ffff) as usize;
    let connection = (address.is_multiple_of(64) && address != 0).then(|| crate::arena::at(address))?;
    (self::token(connection) == token).then_some(connection)
}

/// The connection will not be paired after all.
pub(crate) fn withdraw(connection: &'static Connection) {
    if connection.record.paired.load(Ordering::Relaxed) == 0 {
        service::withdraw(token(connection));
    }
}

/// The last descriptor of the connection is gone.
pub(crate) fn release(connection: &'static Connection) {
    match connection.phase.swap(phase::REFUSED, Ordering::AcqRel) {
        phase::ASKED => service::withdraw(token(connection)),
        // The broker knows a slot's ends by the processes that it told of it.
        phase::PAIRED if connection.paired_by.load(Ordering::Relaxed) == crate::process::id() => {
            service::release(connection.link.load(Ordering::Relaxed), connection.slot.load(Ordering::Relaxed))
        }
        _ => {}
    }
}

/// Calls `visit` for every paired connection that this process has a descriptor of.
pub(crate) fn each_paired(mut visit: impl FnMut(&'static Connection, i32)) {
    table::each_in(0, u32::MAX, |fd, entry| {
        if let table::Entry::Socket(connection) = entry
            && connection.is_paired()
        {
            visit(connection, fd);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_whose_only_reference_is_not_here_is_held_elsewhere() {
        table::start();
        let connection = crate::arena::take().unwrap();
        connection.references.store(1, Ordering::Relaxed);
        assert!(held_elsewhere(connection), "a child has it, and this process has closed it");
        table::set_socket(700, connection);
        assert!(!held_elsewhere(connection));
        connection.references.store(2, Ordering::Relaxed);
        assert!(held_elsewhere(connection));
        table::set_socket(704, connection);
        assert!(!held_elsewhere(connection), "both are ours");
        [700, 704].into_iter().for_each(table::clear);
    }
}
