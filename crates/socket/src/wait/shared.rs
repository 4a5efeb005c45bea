//! Sets that a fork has given to another process. What this process knows of a set the other's memory does not: so one of them, its
//! owner, goes on with it, and as soon as another one uses it as well, its connections move back and the kernel's set is the truth.
//!
//! Who owns a set stands in memory that the family shares, one word for each set of the process that made it.
use super::epoll::arrived;
use super::hot::{DEPTH_MAX, each_watcher};
use super::nested::{self, has_ring};
use super::registration::bring_all_up;
use super::set::{self, Member, SETS_MAX, Set, What};
use crate::connection::Connection;
use crate::{family, roads, table};
use vmmc_os::{abi, memory};
use vmmc_protocol::Reason;
use vmmc_sync::{AtomicU64, AtomicUsize, Ordering};

/// Instead of an owner: several processes have used the set.
const EVERYBODY: u32 = u32::MAX - 1;

/// Spreads a count over a word's bits: odd.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Address of the words for the sets that this process makes; 0: none of them has been forked.
static WORDS: AtomicUsize = AtomicUsize::new(0);

/// The words at an address that [`words`] has given.
fn at(address: usize) -> &'static [AtomicU64; SETS_MAX] {
    // SAFETY: `words` alone makes such addresses, of mappings of this size that are never taken away, and any bits are valid.
    unsafe { &*(address as *const [AtomicU64; SETS_MAX]) }
}

fn words() -> Option<usize> {
    if WORDS.load(Ordering::Relaxed) == 0 {
        WORDS.store(memory::map_family(size_of::<[AtomicU64; SETS_MAX]>()).ok()?, Ordering::Relaxed);
    }
    Some(WORDS.load(Ordering::Relaxed))
}

/// A set is made at a number: nobody else has it.
pub(super) fn begin(set: &Set) {
    set.words.store(0, Ordering::Relaxed);
}

/// Before another process or another program has the sets too: the kernel hears what it has not heard of them.
pub(crate) fn tell_kernel() {
    for (number, set) in set::all().filter(|(_, set)| set.in_use.load(Ordering::Relaxed) && !set.members.is_own()) {
        let mut members = set.enter();
        let epfd = members.epfd;
        bring_all_up(&mut members, epfd);
        drop(members);
        nested::spend(number);
    }
}

/// In the parent before fork, once it has its place in the family: its sets are its own.
pub(crate) fn before_fork() {
    let owner = family::own();
    for (number, set) in set::all().filter(|(_, set)| set.in_use.load(Ordering::Relaxed)) {
        if owner == family::NOBODY || set.words.load(Ordering::Relaxed) != 0 {
            continue;
        }
        let Some(words) = words() else { return };
        let Some(word) = at(words).get(number) else { return };
        // A child may have another set that stood at this number before.
        let generation = ((word.load(Ordering::Relaxed) >> 32) as u32).wrapping_add(1);
        word.store(u64::from(generation) << 32 | u64::from(owner), Ordering::Release);
        set.generation.store(generation, Ordering::Relaxed);
        set.words.store(words, Ordering::Release);
    }
}

/// In the child.
pub(crate) fn after_fork_in_child() {
    WORDS.store(0, Ordering::Relaxed);
}

/// Whether this process alone uses the set: it owns it, or owns it from now on since the owner is dead. If it does not, nobody
/// does any more.
fn is_ours(number: usize, set: &Set) -> bool {
    let words = set.words.load(Ordering::Acquire);
    if words == 0 {
        return true;
    }
    let Some(word) = at(words).get(number) else { return true };
    let generation = set.generation.load(Ordering::Relaxed);
    loop {
        let now = word.load(Ordering::Acquire);
        let (of, owner) = ((now >> 32) as u32, now as u32);
        if of == generation && owner == family::own() {
            return true;
        }
        if of != generation || owner == EVERYBODY {
            return false;
        }
        let is_left = family::own() != family::NOBODY && !family::lives(owner);
        let next = if is_left { family::own() } else { EVERYBODY };
        let new = u64::from(generation) << 32 | u64::from(next);
        if word.compare_exchange(now, new, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return is_left;
        }
    }
}

/// Whether waits on the set are ours to do. If another process uses it too, its connections move back first.
pub(crate) fn is_accelerated(number: usize) -> bool {
    let set = set::get(number);
    if !set.accelerated.load(Ordering::Acquire) {
        return false;
    }
    let is_ours = is_ours(number, set);
    if !is_ours && !set.members.is_own() {
        give_up(number, 0);
    }
    is_ours
}

/// A set that has been forked, and what has come into a member's ring, in one word; `None`: it has not been forked.
fn edge(number: usize, mark: u64) -> Option<u64> {
    let set = set::get(number);
    let words = set.words.load(Ordering::Relaxed);
    let place = (words + number * size_of::<AtomicU64>()) as u64;
    let generation = u64::from(set.generation.load(Ordering::Relaxed));
    (words != 0).then(|| mark.wrapping_mul(SPREAD) ^ place ^ generation << 48)
}

/// A member of the set was reported, `mark` having come by then: others of the family may have to know.
pub(super) fn note_told(number: usize, connection: &Connection, mark: u64) {
    if let Some(edge) = edge(number, mark) {
        connection.told.store(edge, Ordering::Relaxed);
    }
}

/// Edge-triggered, and the set has reported all that has come, in this process or another one: how much of it lies unread. Whoever
/// has read all may be waiting for the next edge already.
fn told_and_unread(number: usize, member: &Member) -> u64 {
    let What::Socket(connection) = member.what else { return 0 };
    let mark = arrived(member);
    let is_told = member.mark == Some(mark) || edge(number, mark) == Some(connection.told.load(Ordering::Relaxed));
    let is_edge = member.has(abi::EPOLLET) && member.enabled && !member.removed;
    if is_told && is_edge && has_ring(member) { mark.wrapping_sub(connection.receiver().consumed()) } else { 0 }
}

/// Calls `visit` with each set that watches `fd`, unless a signal handler has interrupted its own thread in it.
fn each_set(fd: i32, visit: impl Fn(usize, &'static Set)) {
    let word = table::watchers(fd).map_or(0, |watchers| watchers.load(Ordering::Acquire));
    each_watcher(word, |number, set| {
        if !set.members.is_own() {
            visit(number, set);
        }
    });
}

/// What comes in by `fd` is about to be moved back: it is noted which sets have told of all that has come.
pub(crate) fn before_move(fd: i32) {
    each_set(fd, |number, set| {
        if let Some(member) = set.members.hold().by_fd.get_mut(&fd) {
            member.moved_told = told_and_unread(number, member);
        }
    });
}

/// It has been: to the sets that have told of it, it is no edge.
pub(crate) fn after_move(fd: i32) {
    let is_told = |set: &Set| set.members.hold().by_fd.get(&fd).is_some_and(|member| member.moved_told > 0);
    each_set(fd, |number, set| {
        if is_told(set) {
            nested::drop_told_edges(number);
        }
        if let Some(member) = set.members.hold().by_fd.get_mut(&fd) {
            member.moved_told = 0;
        }
    });
}

/// This process has shut a side of the connection at `fd` down, which is an edge to all that watch it.
pub(crate) fn note_shut(fd: i32) {
    each_set(fd, |_, set| {
        if let Some(member) = set.members.hold().by_fd.get_mut(&fd) {
            member.is_changed = true;
        }
    });
}

/// The kernel's set alone is asked from now on, as are the sets within.
fn give_up(number: usize, depth: u32) {
    let set = set::get(number);
    set.accelerated.store(false, Ordering::Release);
    let mut held = set.enter();
    let epfd = held.epfd;
    bring_all_up(&mut held, epfd);
    let members: Vec<(i32, What)> = held.by_fd.iter().map(|(fd, member)| (*fd, member.what)).collect();
    drop(held);
    for move_back in [roads::move_incoming_first, roads::move_back] {
        for (fd, what) in &members {
            if let What::Socket(connection) = what
                && table::is_at(*fd, connection)
            {
                move_back(*fd, Reason::SHARED_SET);
            }
        }
    }
    for (_, what) in members {
        if let What::Set(inner) = what
            && depth < DEPTH_MAX
        {
            give_up(inner, depth + 1);
        }
    }
}
