//! The process family's table of connections: a sealed memory file that stays mapped through fork and that
//! `vmmc status` can look at. Records are never unmapped, so a late look at a freed one is harmless.
use crate::connection::{Connection, kind, phase};
use crate::lock::{Held, Lock};
use crate::{family, pairing};
use vmmc_os::{descriptor, kernel, memory, process};
use vmmc_protocol::record::{Header, MAGIC, RECORD_SIZE, VERSION};
use vmmc_sync::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Most connections of one process; a sparse file, so it costs what is used.
pub(crate) const RECORDS_MAX: usize = {
    let room = memory::SPARSE_BYTES_MAX / RECORD_SIZE - 1;
    if room < 1 << 17 { room } else { 1 << 17 }
};
/// Our own descriptors are put at this number or above, out of the way of the program's. No higher: the kernel copies its
/// table up to the highest number at every fork, and we look through ours.
pub(crate) const DESCRIPTOR_LEAST: i32 = 1 << 12;

static ADDRESS: AtomicUsize = AtomicUsize::new(0);
static OWNER: AtomicU64 = AtomicU64::new(0);
static MEMORY: AtomicU32 = AtomicU32::new(u32::MAX);
static FREE: AtomicUsize = AtomicUsize::new(0);
/// Records in use from which on those that children gave back are looked for.
static GATHER_AT: AtomicUsize = AtomicUsize::new(GATHER_LEAST);
const GATHER_LEAST: usize = 64;
/// A short critical section for making and freeing records; never held over a call that can block.
static BUSY: Lock<()> = Lock::new(());

/// `None`: a signal handler has interrupted its own thread in it.
fn enter() -> Option<Held<'static, ()>> {
    (!BUSY.is_own()).then(|| BUSY.hold())
}

/// Does something while no record is taken or listed as free: one that is still somebody's does not become another's meanwhile.
pub(crate) fn undisturbed<R>(action: impl FnOnce() -> R) -> R {
    let _short = enter();
    action()
}

/// In a forked child: its own new records will come from an arena of its own; the inherited one stays mapped.
pub(crate) fn forget_after_fork() {
    BUSY.open();
    ADDRESS.store(0, Ordering::Relaxed);
    MEMORY.store(u32::MAX, Ordering::Relaxed);
    FREE.store(0, Ordering::Relaxed);
    GATHER_AT.store(GATHER_LEAST, Ordering::Relaxed);
}

/// The header of this process's own table, if it has one.
pub(crate) fn header() -> Option<&'static Header> {
    let address = ADDRESS.load(Ordering::Acquire);
    // SAFETY: a non-zero address is a mapping of RECORD_SIZE * (RECORDS_MAX + 1) bytes that is never taken away, and the
    // header consists of atomics, for which every bit pattern is valid.
    (address != 0).then(|| unsafe { &*(address as *const Header) })
}

/// The memory file that the table stands in.
pub(crate) fn memory() -> Option<i32> {
    i32::try_from(MEMORY.load(Ordering::Acquire)).ok()
}

fn map() -> Option<usize> {
    let len = RECORD_SIZE * (RECORDS_MAX + 1);
    let fd = memory::create_sealed(c"vmmc-sockets", len).ok()?;
    let fd = descriptor::move_high(fd, DESCRIPTOR_LEAST);
    let Ok(address) = memory::map_shared(fd, len, true) else {
        let _ = kernel::close(fd);
        return None;
    };
    crate::table::set_internal(fd);
    ADDRESS.store(address, Ordering::Release);
    MEMORY.store(fd as u32, Ordering::Release);
    OWNER.store(u64::from(process::id()), Ordering::Relaxed);
    let header = header()?;
    header.version.store(VERSION, Ordering::Relaxed);
    header.pid.store(process::id(), Ordering::Relaxed);
    header.magic.store(MAGIC, Ordering::Release);
    crate::settings::describe(header);
    Some(address)
}

/// Takes a free record, blank but for its generation; `None` when memory or the table is exhausted.
pub(crate) fn take() -> Option<&'static Connection> {
    let _short = enter()?;
    let address = match ADDRESS.load(Ordering::Relaxed) {
        0 => map()?,
        address => address,
    };
    let used = header()?.used.load(Ordering::Relaxed) as usize;
    if FREE.load(Ordering::Relaxed) == 0 && used >= GATHER_AT.load(Ordering::Relaxed).min(RECORDS_MAX) {
        let found = gather(address, used);
        // Worth it: again as soon as these are used up. Otherwise when the table has grown by half.
        let next = if found >= used / 4 { used } else { used + used / 2 };
        GATHER_AT.store(next.max(GATHER_LEAST), Ordering::Relaxed);
    }
    let connection = match FREE.load(Ordering::Relaxed) {
        0 if used >= RECORDS_MAX => return None,
        0 => {
            header()?.used.store(used as u32 + 1, Ordering::Release);
            at(address + RECORD_SIZE * (used + 1))
        }
        free => {
            let connection = at(free);
            FREE.store(connection.next.load(Ordering::Relaxed) as usize, Ordering::Relaxed);
            connection
        }
    };
    connection.record.kind.store(kind::UNCONNECTED, Ordering::Relaxed);
    Some(connection)
}

/// Lists the free records, none of which stand in the list: those that forked children have given back, or can't any more.
/// How many.
fn gather(address: usize, used: usize) -> usize {
    let records = (1..=used).map(|number| at(address + RECORD_SIZE * number));
    let is_free = |connection: &&'static Connection| {
        connection.record.kind.load(Ordering::Acquire) == kind::FREE || is_abandoned(connection)
    };
    records.filter(is_free).map(list).count()
}

/// Only dead members of the family held it: it is free now.
fn is_abandoned(connection: &'static Connection) -> bool {
    let abandoned = family::forget_dead(connection);
    if abandoned {
        pairing::release(connection);
        retire(connection);
        connection.record.kind.store(kind::FREE, Ordering::Release);
    }
    abandoned
}

/// Nobody finds it any more.
fn retire(connection: &Connection) {
    connection.record.paired.store(0, Ordering::Relaxed);
    connection.phase.store(phase::REFUSED, Ordering::Relaxed);
    connection.generation.fetch_add(1, Ordering::Relaxed);
}

/// Puts a record into the list of free ones.
fn list(connection: &'static Connection) {
    connection.next.store(FREE.load(Ordering::Relaxed) as u64, Ordering::Relaxed);
    FREE.store(core::ptr::from_ref(connection) as usize, Ordering::Relaxed);
}

/// Gives a record back that no descriptor refers to any more.
pub(crate) fn give(connection: &'static Connection) {
    retire(connection);
    let address = core::ptr::from_ref(connection) as usize;
    let short = enter();
    let own = ADDRESS.load(Ordering::Relaxed);
    connection.record.kind.store(kind::FREE, Ordering::Release);
    // A record of the parent's table is the parent's to use again: its free list is not ours, it gathers what it finds.
    if short.is_some() && own != 0 && (own..own + RECORD_SIZE * (RECORDS_MAX + 1)).contains(&address) {
        list(connection);
    }
}

/// The record at an address that this module (here or, before a fork, in a parent) gave out.
#[inline(always)]
pub(crate) fn at(address: usize) -> &'static Connection {
    // SAFETY: addresses come only from `take` (kept in the descriptor table or in `next`); arenas are never unmapped,
    // also not by fork; records are 64-byte aligned and consist of atomics, for which every bit pattern is valid.
    unsafe { &*(address as *const Connection) }
}
