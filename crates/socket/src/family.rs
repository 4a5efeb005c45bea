//! Who of a process family holds a socket. A fork makes a member, and every reference to a record is some member's share: what
//! a killed member held is given up by those who are left, and the last of them closes as the last.
//!
//! The members stand in the table of connections of the process that forked first, which all of them have mapped. A member
//! lives as long as it has its place's byte of that file locked: the kernel takes the lock away with the process, before
//! anybody can see it dead, whatever process numbers mean to whom. A reference that nobody's share accounts for (there were
//! too many members, or the process executed another program) stays for good.
use crate::connection::Connection;
use crate::{arena, table};
use vmmc_os::{abi, kernel};
use vmmc_protocol::record::{Header, RECORD_SIZE};
use vmmc_sync::{AtomicU32, AtomicUsize, Ordering};

/// Most members of one family whose shares are known.
pub(crate) const MEMBERS_MAX: usize = 96;

/// States of a member's place.
const FREE: u32 = 0;
/// It is being forked.
const BEGINS: u32 = 1;
/// It holds its lock, or is dead.
const LIVES: u32 = 2;
/// It has given up all that it held, and the place is free once the lock is.
const LEAVES: u32 = 3;

/// The places stand behind a table's header, in the first record's room.
const BEHIND_HEADER: usize = size_of::<Header>().next_multiple_of(64);
const _: () = assert!(BEHIND_HEADER + size_of::<[AtomicU32; MEMBERS_MAX]>() <= RECORD_SIZE);

pub(crate) const NOBODY: u32 = u32::MAX;

/// Address of the family's places, and the file in which they are locked; 0: this process has not forked, nor was it forked.
static PLACES: AtomicUsize = AtomicUsize::new(0);
static FILE: AtomicU32 = AtomicU32::new(NOBODY);
/// This process's place, and that of the child that is being forked.
static OWN: AtomicU32 = AtomicU32::new(NOBODY);
static CHILD: AtomicU32 = AtomicU32::new(NOBODY);

fn places() -> Option<&'static [AtomicU32; MEMBERS_MAX]> {
    let address = PLACES.load(Ordering::Acquire);
    // SAFETY: a non-zero address is that of the places in an arena's first record, which is never unmapped and consists of
    // atomics, for which every bit pattern is valid.
    (address != 0).then(|| unsafe { &*(address as *const [AtomicU32; MEMBERS_MAX]) })
}

fn is_locked(place: usize) -> bool {
    kernel::is_byte_locked(FILE.load(Ordering::Relaxed) as i32, place).unwrap_or(true)
}

fn lock(place: usize) -> bool {
    kernel::lock_byte(FILE.load(Ordering::Relaxed) as i32, place).is_ok()
}

/// A free place, which is now somebody's who begins.
fn take_place() -> u32 {
    let Some(places) = places() else { return NOBODY };
    for (number, place) in places.iter().enumerate() {
        let state = place.load(Ordering::Relaxed);
        let free = state == FREE || state == LEAVES && !is_locked(number);
        if free && place.compare_exchange(state, BEGINS, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return number as u32;
        }
    }
    NOBODY
}

fn set_state(place: u32, state: u32) {
    if let Some(place) = places().and_then(|places| places.get(place as usize)) {
        place.store(state, Ordering::Release);
    }
}

/// Locks the place that this process has been given.
fn live(place: u32) {
    OWN.store(place, Ordering::Relaxed);
    if place != NOBODY && lock(place as usize) {
        set_state(place, LIVES);
    }
}

/// Whether another process may refer to the connection, too.
pub(crate) fn is_shared(connection: &Connection) -> bool {
    PLACES.load(Ordering::Relaxed) != 0 && connection.references.load(Ordering::Relaxed) > 1
}

/// The last descriptor of a connection in which receives sleep is about to be closed: another one keeps the socket open for the
/// last of them to close, when no doorbell is left unread. Not where others of a family may sleep in it.
pub(crate) fn keep_for_sleepers(connection: &'static Connection, fd: i32) {
    let references = connection.references.load(Ordering::Acquire);
    let is_asleep = references > 1 && connection.sleepers.load(Ordering::Relaxed) > 0;
    if !is_asleep || PLACES.load(Ordering::Relaxed) != 0 || !connection.is_paired() {
        return;
    }
    if table::is_only_one(fd, connection)
        && let Ok(kept) = kernel::fcntl(fd, abi::F_DUPFD_CLOEXEC, arena::DESCRIPTOR_LEAST as usize)
    {
        table::set_internal(kept as i32);
        connection.kept.store(kept as u32 + 1, Ordering::Release);
    }
}

/// In the parent before fork, with every socket that it has: the child's place is made.
pub(crate) fn before_fork(sandboxed: bool, each_socket: impl Fn(&dyn Fn(&'static Connection))) {
    if !sandboxed
        && PLACES.load(Ordering::Relaxed) == 0
        && let (Some(header), Some(file)) = (arena::header(), arena::memory())
    {
        FILE.store(file as u32, Ordering::Relaxed);
        PLACES.store(core::ptr::from_ref(header).expose_provenance() + BEHIND_HEADER, Ordering::Release);
        live(take_place());
        each_socket(&|connection| add_share(connection, OWN.load(Ordering::Relaxed), 1));
    }
    // One that is sandboxed could not lock it.
    let child = if sandboxed { NOBODY } else { take_place() };
    CHILD.store(child, Ordering::Relaxed);
    each_socket(&|connection| {
        connection.references.fetch_add(1, Ordering::AcqRel);
        add_share(connection, child, 1);
    });
}

/// In the parent when fork failed.
pub(crate) fn not_forked(each_socket: impl Fn(&dyn Fn(&'static Connection))) {
    let child = CHILD.swap(NOBODY, Ordering::Relaxed);
    each_socket(&|connection| {
        take_share(connection, child);
        connection.references.fetch_sub(1, Ordering::AcqRel);
    });
    set_state(child, FREE);
}

/// In the child.
pub(crate) fn after_fork_in_child() {
    live(CHILD.swap(NOBODY, Ordering::Relaxed));
}

/// This process's place; [`NOBODY`]: it has none.
pub(crate) fn own() -> u32 {
    OWN.load(Ordering::Relaxed)
}

/// Whether the member at another place lives.
pub(crate) fn lives(place: u32) -> bool {
    is_locked(place as usize)
}

/// This process has given up every share, and ends or becomes another program.
pub(crate) fn leave() {
    set_state(OWN.load(Ordering::Relaxed), LEAVES);
}

/// It has not become another program after all.
pub(crate) fn stay() {
    set_state(OWN.load(Ordering::Relaxed), LIVES);
}

fn share(connection: &'static Connection, member: u32) -> Option<&'static AtomicU32> {
    connection.shares.get(member as usize)
}

fn add_share(connection: &'static Connection, member: u32, by: u32) {
    if let Some(share) = share(connection, member) {
        share.fetch_add(by, Ordering::AcqRel);
    }
}

fn take_share(connection: &'static Connection, member: u32) {
    if let Some(share) = share(connection, member) {
        let _ = share.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |share| share.checked_sub(1));
    }
}

/// This process refers to the connection once more.
pub(crate) fn hold(connection: &'static Connection) {
    connection.references.fetch_add(1, Ordering::AcqRel);
    add_share(connection, OWN.load(Ordering::Relaxed), 1);
}

/// It refers to it once less. `true`: that was the family's last reference.
pub(crate) fn let_go(connection: &'static Connection) -> bool {
    take_share(connection, OWN.load(Ordering::Relaxed));
    connection.references.fetch_sub(1, Ordering::AcqRel) == 1
}

/// The program that this process becomes refers to it instead, where nobody can tell.
pub(crate) fn pass_on(connection: &'static Connection) {
    take_share(connection, OWN.load(Ordering::Relaxed));
}

/// The opposite of [`pass_on`].
pub(crate) fn keep(connection: &'static Connection) {
    add_share(connection, OWN.load(Ordering::Relaxed), 1);
}

/// Gives up what dead members held. `true`: nothing is left, and nobody else will give the record back.
pub(crate) fn forget_dead(connection: &'static Connection) -> bool {
    let Some(places) = places() else { return false };
    let own = OWN.load(Ordering::Relaxed);
    for (number, place) in places.iter().enumerate() {
        let Some(share) = connection.shares.get(number).filter(|share| share.load(Ordering::Relaxed) > 0) else {
            continue;
        };
        if number as u32 == own || place.load(Ordering::Acquire) != LIVES || is_locked(number) {
            continue;
        }
        let held = share.swap(0, Ordering::AcqRel);
        if held > 0 {
            // What slept in it sleeps no more; another sleeper that this forgets is woken by the safety net.
            connection.sleepers.store(0, Ordering::Relaxed);
            if connection.references.fetch_sub(held, Ordering::AcqRel) == held {
                return true;
            }
        }
    }
    false
}
