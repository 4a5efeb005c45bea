//! Hot and cold members of epoll sets. A member on the VMMC road is *hot* (its sets look at its memory by themselves) or
//! armed (the peer rings and the kernel reports): a wait costs as many looks as there are hot members.
use super::ready;
use super::set::{self, Member, Members, READABLE, Set, WRITABLE, What};
use crate::connection::{Connection, flag};
use crate::{doorbell, table};
use vmmc_os::{abi, kernel};
use vmmc_stream::Road;
use vmmc_sync::Ordering;

/// In a descriptor's watchers word: it stands in the hot list of every set that watches it.
pub(super) const HOT: u64 = 1 << 63;
/// In a descriptor's watchers word: some set beyond the first 62 watches it.
pub(super) const OTHERS: u64 = 1 << 62;
/// A set with more hot members than this cools those that are idle; with fewer a look at them costs little.
const HOT_MANY: usize = 96;
/// So many are examined at once.
const COOL_AT_ONCE: usize = 8;
/// Sets within sets that are followed.
pub(super) const DEPTH_MAX: u32 = 5;

/// Calls `visit` for each set that may watch `fd`.
pub(super) fn each_watcher(watchers: u64, mut visit: impl FnMut(usize, &'static Set)) {
    for number in 0..62 {
        if watchers & 1 << number != 0 {
            visit(number, set::get(number));
        }
    }
    if watchers & OTHERS != 0 {
        set::all()
            .skip(62)
            .filter(|(_, set)| set.in_use.load(Ordering::Relaxed))
            .for_each(|(number, set)| visit(number, set));
    }
}

/// A descriptor of the connection is put into a set. From then on whoever receives by another one has the set told.
pub(super) fn begin_to_watch(connection: &'static Connection) {
    if !connection.has(flag::WATCHED) {
        connection.set(flag::WATCHED, true);
    }
    if connection.references.load(Ordering::Relaxed) > 1 && ready::on_ring(connection) {
        table::each_at(connection, |fd| {
            if let Some(watchers) = table::watchers(fd) {
                watchers.fetch_and(!HOT, Ordering::AcqRel);
            }
        });
        doorbell::ask_again(connection);
    }
}

/// The peer may switch to the ring from now on: what is reported of the connection before it is read there is ours to know.
#[cold]
pub(crate) fn expect_ring(connection: &'static Connection, fd: i32) {
    let expect = |fd| {
        let word = table::watchers(fd).map_or(0, |watchers| watchers.load(Ordering::Acquire));
        each_watcher(word, |_, set| set.accelerated.store(true, Ordering::Release));
    };
    if connection.references.load(Ordering::Relaxed) > 1 { table::each_at(connection, expect) } else { expect(fd) }
}

/// The incoming road of `fd` is VMMC and its doorbell has been answered or was never asked for: whoever waits for it in a
/// set must look by itself, or a doorbell must be asked for again. The receive gate is held.
#[inline(always)]
pub(crate) fn notice(connection: &'static Connection, fd: i32) {
    let Some(watchers) = table::watchers(fd) else { return };
    let word = watchers.load(Ordering::Acquire);
    if word & HOT != 0 || word == 0 && !connection.has(flag::WATCHED) || !ready::on_ring(connection) {
        return;
    }
    make_hot(connection, fd, word);
}

#[cold]
fn make_hot(connection: &'static Connection, fd: i32, watchers: u64) {
    // What is looked at here, other processes and sets that watch the same socket by another descriptor would wait for.
    let mut asleep =
        connection.sleepers.load(Ordering::SeqCst) > 0 || connection.references.load(Ordering::Relaxed) > 1;
    each_watcher(watchers, |_, set| {
        set.accelerated.store(true, Ordering::Release);
        // A handler of the thread that is at work on the set can't tell it: the peer does.
        asleep |= set.sleepers.load(Ordering::SeqCst) > 0 || set.members.is_own();
    });
    let Some(word) = table::watchers(fd) else { return };
    if !asleep {
        word.fetch_or(HOT, Ordering::AcqRel);
        // A wait counts itself as a sleeper before it goes through the list: it finds the member, or is found here.
        each_watcher(watchers, |_, set| {
            heat(&mut set.members.hold(), fd);
            asleep |= set.sleepers.load(Ordering::SeqCst) > 0;
        });
    }
    if asleep {
        word.fetch_and(!HOT, Ordering::AcqRel);
        doorbell::ask_again(connection);
    }
}

/// Whether a call sleeps in the kernel that `fd` must wake: on the socket itself or on a set that watches it.
pub(crate) fn is_slept_on(connection: &Connection, fd: i32) -> bool {
    let mut asleep = connection.sleepers.load(Ordering::SeqCst) > 0;
    if let Some(watchers) = table::watchers(fd) {
        each_watcher(watchers.load(Ordering::Acquire), |_, set| asleep |= set.sleepers.load(Ordering::SeqCst) > 0);
    }
    asleep
}

pub(super) fn heat(members: &mut Members, fd: i32) {
    if let Some(member) = members.by_fd.get_mut(&fd)
        && !member.is_hot
        && !member.gone
    {
        member.is_hot = true;
        members.hot.push(fd);
    }
}

/// Whether a hot member has something to report, by our own knowledge.
pub(super) fn has_news(number: usize) -> bool {
    set_has_news(number, 0)
}

fn set_has_news(number: usize, depth: u32) -> bool {
    let members = set::get(number).members.hold();
    let hot = members.hot.iter().any(|fd| {
        members.by_fd.get(fd).is_some_and(|member| match member.what {
            What::Socket(connection) => pending(member, connection, *fd, connection.receiver().mark()) != 0,
            What::Set(_) | What::Other => false,
        })
    });
    if hot || depth == DEPTH_MAX || members.nested.is_empty() {
        return hot;
    }
    // One lock at a time: fork takes them all in another order.
    drop(members);
    inner_sets(number).into_iter().any(|inner| set_has_news(inner, depth + 1))
}

/// How many members are looked at here.
pub(super) fn count(number: usize) -> usize {
    let members = set::get(number).members.hold();
    members.hot.len() + members.nested.len()
}

/// What a hot member would report now, `mark` having come by then. An edge is what comes, and what it reports is what holds when it
/// is looked at: of bytes that have been read meanwhile writability remains, as in the kernel.
#[inline]
pub(super) fn pending(member: &Member, connection: &Connection, fd: i32, mark: u64) -> u32 {
    if !member.enabled || member.removed || !ready::on_ring(connection) {
        return 0;
    }
    // A move alone brings nothing to read; what follows it the kernel reports.
    let (has_bytes, is_edge) = (ready::has_bytes(connection), member.has(abi::EPOLLET));
    if is_edge && !member.mark.map_or(has_bytes || member.is_due, |told| told != mark) {
        return 0;
    }
    let is_writable = match connection.send.road() {
        Road::Vmmc => true,
        // The kernel knows neither of the edge nor of the bytes, and a report tells all that holds.
        Road::Kernel => (is_edge || has_bytes) && member.events & WRITABLE != 0 && kernel_writable(connection, fd),
    };
    member.events & (if has_bytes { READABLE } else { 0 } | if is_writable { WRITABLE } else { 0 })
}

/// Where nothing has been sent since the kernel said so, it says so still.
fn kernel_writable(connection: &Connection, fd: i32) -> bool {
    let sent = connection.send.kernel_bytes() + 1;
    if connection.writable_at.load(Ordering::Relaxed) == sent {
        return true;
    }
    let is_writable = kernel::events_now(fd, abi::POLLOUT) & abi::POLLOUT != 0;
    if is_writable {
        connection.writable_at.store(sent, Ordering::Relaxed);
    }
    is_writable
}

/// The kernel reported the member, so its doorbell is spent, be it still in the kernel's queue: it is looked at here again.
pub(super) fn make_hot_after_report(connection: &'static Connection, fd: i32) {
    if let Some(word) = table::watchers(fd)
        && (!connection.recv.is_armed() || connection.receiver().is_rung())
    {
        make_hot(connection, fd, word.load(Ordering::Acquire));
    }
}

/// An edge is reported of a member that is not looked at here, and whose doorbell stands in the kernel's queue still: what comes
/// next has to ring as well.
pub(super) fn ring_for_next(connection: &'static Connection, member: &Member, mark: u64) {
    let is_answered = ready::on_ring(connection) && connection.receiver().is_rung();
    if !member.has(abi::EPOLLET) || member.is_hot || !is_answered {
        return;
    }
    if let Some(_alone) = connection.recv_gate.try_alone(crate::process::id()) {
        connection.receiver().arm();
        if connection.receiver().mark() != mark {
            connection.notify_peer();
        }
    }
}

/// Members that were busy before a sleep and are armed for it.
pub(super) type Cooled = Vec<(i32, &'static Connection)>;

/// A wait that is about to sleep on a set and the sets within, until dropped.
pub(super) struct Armed {
    /// There is news: the wait must not sleep.
    pub(super) news: bool,
    /// The set's number, and those of the sets within.
    sets: Vec<usize>,
    cooled: Cooled,
}

impl Armed {
    /// The sleep is over.
    pub(super) fn wake(mut self) -> Cooled {
        core::mem::take(&mut self.cooled)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        for number in &self.sets {
            // A set that was closed and made anew under a sleeper has forgotten it.
            let sleepers = &set::get(*number).sleepers;
            let _ = sleepers.fetch_update(Ordering::SeqCst, Ordering::Relaxed, |n| n.checked_sub(1));
        }
    }
}

/// Before a sleep on the set: every hot member (also of sets within) asks for a doorbell.
pub(super) fn arm(number: usize) -> Armed {
    let mut cooled = Vec::new();
    let mut armed = Armed { news: arm_one(number, &mut cooled), sets: vec![number], cooled };
    let mut level = inner_of(&[number]);
    for _ in 0..DEPTH_MAX {
        for inner in &level {
            armed.news |= arm_one(*inner, &mut Vec::new());
        }
        armed.sets.extend_from_slice(&level);
        level = inner_of(&level);
    }
    armed
}

fn arm_one(number: usize, cooled: &mut Cooled) -> bool {
    set::get(number).sleepers.fetch_add(1, Ordering::SeqCst);
    arm_hot(number, cooled)
}

/// After a sleep that a report has ended: what was busy before it is likely to be so again, and need ring no more.
pub(super) fn reheat(cooled: Cooled) {
    for (fd, connection) in cooled {
        let asleep = connection.references.load(Ordering::Relaxed) != 1 || is_slept_on(connection, fd);
        let alone = if asleep { None } else { connection.recv_gate.try_alone(crate::process::id()) };
        if let Some(_alone) = alone.filter(|_| table::is_at(fd, connection) && ready::on_ring(connection)) {
            connection.receiver().disarm();
            make_hot_after_report(connection, fd);
        }
    }
}

fn inner_of(numbers: &[usize]) -> Vec<usize> {
    numbers.iter().flat_map(|number| inner_sets(*number)).collect()
}

fn inner_sets(number: usize) -> Vec<usize> {
    let members = set::get(number).members.hold();
    let inner = |fd: &i32| match members.by_fd.get(fd)?.what {
        What::Set(inner) => Some(inner),
        What::Socket(_) | What::Other => None,
    };
    members.nested.iter().filter_map(inner).collect()
}

/// Arms the hot members of one set. Those with news stay hot. `cooled` gets those that were busy.
pub(super) fn arm_hot(number: usize, cooled: &mut Cooled) -> bool {
    let set = set::get(number);
    let (mut news, mut at) = (false, 0);
    loop {
        let mut members = set.members.hold();
        let Some(fd) = members.hot.get(at).copied() else { return news };
        let Some(member) = members.by_fd.get(&fd).copied() else {
            members.hot.swap_remove(at);
            continue;
        };
        drop(members);
        let What::Socket(connection) = member.what else {
            at += 1;
            continue;
        };
        if ready::on_ring(connection) && ready::arm(connection, fd) {
            // An edge that was reported already is no news to sleep over.
            news |= pending(&member, connection, fd, connection.receiver().mark()) != 0
                || connection.recv.road() == Road::Kernel
                || !connection.recv.is_armed();
            at += 1;
            continue;
        }
        news |= !ready::on_ring(connection);
        let mark = connection.receiver().mark();
        let mut members = set.members.hold();
        if let Some(member) = members.by_fd.get_mut(&fd)
            && core::mem::replace(&mut member.seen, mark) != mark
            && cooled.len() < HOT_MANY
        {
            cooled.push((fd, connection));
        }
        cool(&mut members, fd);
    }
}

/// A set that is never idle never sleeps, and would look for ever at every member that was once busy: now and then a few are
/// examined, and those to which nothing has come since the last time are armed instead.
pub(super) fn cool_idle(number: usize) {
    let set = set::get(number);
    let mut idle = [None; COOL_AT_ONCE];
    let mut members = set.members.hold();
    let count = members.hot.len();
    if count <= HOT_MANY {
        return;
    }
    for place in &mut idle {
        members.hand = (members.hand + 1) % count;
        let hand = members.hand;
        let Some(fd) = members.hot.get(hand).copied() else { break };
        if let Some(member) = members.by_fd.get_mut(&fd)
            && let What::Socket(connection) = member.what
            && ready::on_ring(connection)
        {
            let mark = connection.receiver().mark();
            let is_idle = core::mem::replace(&mut member.seen, mark) == mark;
            *place = (is_idle && !ready::has_news(connection)).then_some((fd, connection));
        }
    }
    drop(members);
    for (fd, connection) in idle.into_iter().flatten() {
        if !ready::arm(connection, fd) {
            cool(&mut set.members.hold(), fd);
            // Another thread may have taken its doorbell away in between.
            make_hot_after_report(connection, fd);
        }
    }
}

fn cool(members: &mut Members, fd: i32) {
    members.hot.retain(|hot| *hot != fd);
    if let Some(member) = members.by_fd.get_mut(&fd) {
        member.is_hot = false;
    }
    if let Some(watchers) = table::watchers(fd) {
        watchers.fetch_and(!HOT, Ordering::AcqRel);
    }
}
