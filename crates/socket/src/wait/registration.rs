//! Sets and their members come, change and go: `epoll_create`, `epoll_ctl`, and what close does to them.
use super::hot::{self, HOT, OTHERS};
use super::ready;
use super::set::{self, Member, Members, Set, What};
use super::shared;
use crate::connection::{Connection, phase};
use crate::{Ending, family, lifecycle, process, roads, settings, table};
use vmmc_os::{EpollEvent, abi, kernel};
use vmmc_protocol::Reason;
use vmmc_stream::Road;
use vmmc_sync::Ordering;

/// `epoll_create*` returned `epfd`.
pub fn epoll_made(epfd: i32) {
    lifecycle::made(epfd);
    if settings::disabled() || process::is_sandboxed() || !table::holds(epfd) {
        return;
    }
    for (number, set) in set::all() {
        if !set.in_use.swap(true, Ordering::AcqRel) {
            let mut members = set.members.hold();
            members.clear();
            (members.epfd, members.references, members.made_by) = (epfd, 1, process::id());
            set.accelerated.store(false, Ordering::Relaxed);
            set.sleepers.store(0, Ordering::Relaxed);
            shared::begin(set);
            table::set_epoll(epfd, number);
            return;
        }
    }
}

/// One descriptor of the set was closed.
pub(crate) fn closed(number: usize) {
    let set = set::get(number);
    // A handler of the thread that is at work on the set leaves it in use.
    if set.members.is_own() {
        return;
    }
    let mut members = set.members.hold();
    members.references = members.references.saturating_sub(1);
    // Whoever uses the set next clears it: this may be a signal handler.
    if members.references == 0 {
        drop(members);
        set.in_use.store(false, Ordering::Release);
    }
}

/// One more descriptor refers to the set.
pub(crate) fn shared(number: usize) {
    let set = set::get(number);
    if !set.members.is_own() {
        set.members.hold().references += 1;
    }
}

/// The kernel's sets alone are asked from now on: they learn what they have not heard of.
pub(crate) fn leave_to_kernel(epfd: i32, number: usize) {
    bring_all_up(&mut set::get(number).enter(), epfd);
    table::clear(epfd);
}

pub(crate) fn lock_all() {
    set::all().for_each(|(_, set)| set.members.acquire());
}
pub(crate) fn unlock_all() {
    set::all().for_each(|(_, set)| set.members.give_back());
}

/// In a forked child: the parent's other threads sleep on in the parent.
pub(crate) fn forget_sleepers() {
    set::all().for_each(|(_, set)| set.sleepers.store(0, Ordering::Relaxed));
}

/// `fd` is about to be closed: the kernel removes it from its sets, and so do we. If a duplicate keeps the socket open the
/// kernel goes on reporting it by a number that says nothing to us: then it is to report data and no doorbells. A child that
/// closes what it has inherited changes nothing: its parent's descriptor is watched as before.
pub(crate) fn forget(fd: i32) {
    let Some(watchers) = table::watchers(fd).filter(|word| word.load(Ordering::Relaxed) != 0) else { return };
    // While the broker is shown the socket it holds a duplicate, for which the kernel would go on reporting.
    let is_shown = table::lookup(fd).is_some_and(|connection| {
        connection.phase.load(Ordering::Relaxed) == phase::ASKED && connection.references.load(Ordering::Relaxed) == 1
    });
    let (mut is_member, mut is_made_here) = (false, false);
    hot::each_watcher(watchers.swap(0, Ordering::AcqRel), |_, set| {
        // In a handler of the thread that is at work on the set the member stays; whatever gets its number replaces it.
        if !set.members.is_own() {
            let mut members = set.members.hold();
            let epfd = members.epfd;
            let removed = members.by_fd.get(&fd).is_some_and(|member| member.removed && !member.gone);
            if removed || is_shown {
                let _ = kernel::epoll_ctl(epfd, abi::EPOLL_CTL_DEL, fd, None);
            }
            if members.retire(fd) && !removed {
                is_member = true;
                is_made_here |= members.made_by == process::id();
            }
        }
    });
    if is_member
        && let Some(connection) = table::lookup(fd)
        && connection.references.load(Ordering::Relaxed) > 1
    {
        match duplicate_of(connection, fd) {
            Some(twin) => roads::move_back(twin, Reason::KERNEL_FEATURE),
            None if is_made_here => roads::move_back(fd, Reason::INHERITED),
            None => {}
        }
    }
}

/// `epoll_ctl`; `event` is `None` for a null pointer.
///
/// Source: epoll_ctl(2). Changes of hot members reach the kernel only before a sleep.
pub fn epoll_ctl(epfd: i32, op: i32, fd: i32, event: Option<EpollEvent>) -> Ending {
    let table::Entry::Epoll(number) = table::entry(epfd) else { return Ending::Bypass };
    let what = match table::entry(fd) {
        table::Entry::Socket(connection) => What::Socket(connection),
        table::Entry::Epoll(inner) if inner != number => What::Set(inner),
        table::Entry::None => What::Other,
        _ => return Ending::Bypass,
    };
    if event.is_none() && op != abi::EPOLL_CTL_DEL {
        return Ending::Bypass;
    }
    let set = set::get(number);
    if set.members.is_own() {
        return Ending::Bypass;
    }
    // A change is a use of the set as well as a wait.
    if matches!(what, What::Socket(connection) if connection.is_paired()) {
        shared::is_accelerated(number);
    }
    let mut members = set.enter();
    if let Some(ending) = change_hot(&mut members, op, fd, event) {
        return ending;
    }
    bring_removal_up(&mut members, epfd, fd);
    if let Err(error) = kernel::epoll_ctl(epfd, op, fd, event) {
        return Ending::Failed(error);
    }
    // What the kernel has just been told of, the next wait asks it about.
    set.looked.store(0, Ordering::Relaxed);
    members.take(fd);
    match event {
        Some(event) if op != abi::EPOLL_CTL_DEL => enter(set, &mut members, number, fd, what, event),
        _ => {}
    }
    Ending::Handled(0)
}

fn enter(set: &Set, members: &mut Members, number: usize, fd: i32, what: What, event: EpollEvent) {
    let member = Member {
        what,
        events: event.events,
        data: event.u64,
        kernel: (event.events, event.u64),
        removed: false,
        gone: false,
        enabled: true,
        unheard: false,
        mark: None,
        is_due: false,
        moved_told: 0,
        is_changed: false,
        is_hot: false,
        seen: 0,
        reported: (0, 0),
    };
    members.by_fd.insert(fd, member);
    members.index(fd, event.u64);
    // A receive in a signal handler may make it hot.
    let room = members.by_fd.len().saturating_sub(members.hot.len());
    members.hot.reserve(room);
    let bit = if number < 62 { 1 << number } else { OTHERS };
    let Some(watchers) = table::watchers(fd) else { return };
    let before = watchers.fetch_or(bit, Ordering::AcqRel);
    if let What::Socket(connection) = what {
        hot::begin_to_watch(connection);
    }
    match what {
        What::Socket(connection) if ready::on_ring(connection) => {
            set.accelerated.store(true, Ordering::Release);
            if before & HOT != 0 || !connection.recv.is_armed() || ready::has_news(connection) {
                hot::heat(members, fd);
            }
        }
        // Only a wait of ours knows which one-shot registrations have been spent, and what it has reported of what comes next.
        What::Socket(connection) if event.events & abi::EPOLLONESHOT as u32 != 0 || connection.is_paired() => {
            set.accelerated.store(true, Ordering::Release);
        }
        What::Set(_) => {
            set.accelerated.store(true, Ordering::Release);
            members.nested.push(fd);
        }
        What::Socket(_) | What::Other => {}
    }
}

/// A change that the kernel need not hear of now: the member is hot, so its events are looked for here. `None`: it must.
/// The program may free what the data stand for once it has removed a member: until the kernel has heard of the removal,
/// its reports of the member are dropped here.
fn change_hot(members: &mut Members, op: i32, fd: i32, event: Option<EpollEvent>) -> Option<Ending> {
    let alone = members.references == 1;
    let member = members.by_fd.get_mut(&fd)?;
    let What::Socket(connection) = member.what else { return None };
    let plain = |events: u32| events & (abi::EPOLLONESHOT | abi::EPOLLEXCLUSIVE) as u32 == 0;
    if !member.is_hot || !ready::on_ring(connection) || connection.send.road() != Road::Vmmc {
        return None;
    }
    // Another process may ask the kernel's set at any time.
    if family::is_shared(connection) {
        return None;
    }
    if !plain(member.events) || event.is_some_and(|event| !plain(event.events)) {
        return None;
    }
    match (op, event) {
        (abi::EPOLL_CTL_DEL, _) if alone && !member.removed => member.removed = true,
        (abi::EPOLL_CTL_ADD, Some(event)) if member.removed => renew(member, event),
        (abi::EPOLL_CTL_MOD, Some(event)) if !member.removed => renew(member, event),
        _ => return None,
    }
    if !members.behind.contains(&fd) {
        members.behind.push(fd);
    }
    Some(Ending::Handled(0))
}

/// The registration is as the application makes it now: whatever it reported before, it reports anew.
fn renew(member: &mut Member, event: EpollEvent) {
    (member.events, member.data) = (event.events, event.u64);
    (member.removed, member.enabled, member.mark, member.is_due) = (false, true, None, true);
}

/// Tells the kernel of a removal that it has not heard of.
fn bring_removal_up(members: &mut Members, epfd: i32, fd: i32) {
    if members.by_fd.get(&fd).is_some_and(|member| member.removed) {
        let _ = kernel::epoll_ctl(epfd, abi::EPOLL_CTL_DEL, fd, None);
        members.take(fd);
    }
}

/// Tells the kernel what one member has become.
fn bring_up(members: &mut Members, epfd: i32, fd: i32) {
    members.behind.retain(|behind| *behind != fd);
    bring_removal_up(members, epfd, fd);
    let Some(member) = members.by_fd.get_mut(&fd) else { return };
    let known = core::mem::replace(&mut member.kernel, (member.events, member.data));
    if known != member.kernel {
        let member = *member;
        tell_again(&member, epfd, fd);
        members.unindex(fd, known.1);
        members.index(fd, member.data);
    }
}

/// Tells the kernel what it is to know, be it once more: that is an edge to it, and a one-shot registration is no longer spent.
pub(super) fn tell_again(member: &Member, epfd: i32, fd: i32) {
    let event = EpollEvent { events: member.kernel.0, u64: member.kernel.1 };
    let _ = kernel::epoll_ctl(epfd, abi::EPOLL_CTL_MOD, fd, Some(event));
}

/// Tells the kernel of changes that it alone can answer for now, since the member has moved back.
pub(super) fn bring_moved_up(members: &mut Members, epfd: i32) {
    while let Some(fd) = members.behind.iter().copied().find(|fd| has_moved(members, *fd)) {
        bring_up(members, epfd, fd);
    }
}

fn has_moved(members: &Members, fd: i32) -> bool {
    match members.by_fd.get(&fd).map(|member| member.what) {
        Some(What::Socket(connection)) => !ready::on_ring(connection) || connection.send.road() != Road::Vmmc,
        _ => true,
    }
}

pub(super) fn bring_all_up(members: &mut Members, epfd: i32) {
    while let Some(fd) = members.behind.last().copied() {
        bring_up(members, epfd, fd);
    }
}

/// Another descriptor of this process that refers to `connection`.
fn duplicate_of(connection: &'static Connection, fd: i32) -> Option<i32> {
    let mut twin = None;
    table::each_at(connection, |other| {
        if other != fd {
            twin = twin.or(Some(other));
        }
    });
    twin
}
