//! `epoll`: the kernel's set holds every registration; what the ring knows is added, doorbells are taken away.
//!
//! Members on the VMMC road are *hot* (looked at here) or armed (the kernel reports a doorbell): a wait costs as many
//! looks as there are hot members, and members that sleep cost nothing.
use super::set::{self, Member, Members, Set, What};
use super::{Deadline, KERNEL_LOOK_MICROS, ready};
use crate::connection::Connection;
use crate::{Ending, lifecycle, settings, spin, table};
use std::time::Duration;
use vmmc_os::{EpollEvent, Errno, PollFd, clock, kernel};
use vmmc_stream::Road;
use vmmc_sync::Ordering;

const READABLE: u32 = (libc::EPOLLIN | libc::EPOLLRDNORM) as u32;
const WRITABLE: u32 = (libc::EPOLLOUT | libc::EPOLLWRNORM) as u32;
/// In a descriptor's watchers word: it stands in the hot list of every set that watches it.
const HOT: u64 = 1 << 63;
/// In a descriptor's watchers word: some set beyond the first 62 watches it.
const OTHERS: u64 = 1 << 62;
/// Sets within sets that are followed.
const DEPTH_MAX: u32 = 5;

/// `epoll_create*` returned `epfd`.
pub fn epoll_made(epfd: i32) {
    lifecycle::made(epfd);
    if settings::disabled() || !table::holds(epfd) {
        return;
    }
    for (number, set) in set::all() {
        if !set.in_use.swap(true, Ordering::AcqRel) {
            let mut members = set.members.hold();
            members.clear();
            members.references = 1;
            set.accelerated.store(false, Ordering::Relaxed);
            set.sleepers.store(0, Ordering::Relaxed);
            table::set_epoll(epfd, number);
            return;
        }
    }
}

/// One descriptor of the set was closed.
pub(crate) fn closed(number: usize) {
    let set = set::get(number);
    let mut members = set.members.hold();
    members.references = members.references.saturating_sub(1);
    if members.references == 0 {
        members.clear();
        drop(members);
        set.in_use.store(false, Ordering::Release);
    }
}

/// One more descriptor refers to the set.
pub(crate) fn shared(number: usize) {
    set::get(number).members.hold().references += 1;
}

pub(crate) fn lock_all() {
    set::all().for_each(|(_, set)| set.members.acquire());
}
pub(crate) fn unlock_all() {
    set::all().for_each(|(_, set)| set.members.give_back());
}

/// Calls `visit` for each set that may watch `fd`.
fn each_watcher(watchers: u64, mut visit: impl FnMut(usize, &'static Set)) {
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

/// `fd` is about to be closed: the kernel removes it from its sets, and so do we.
pub(crate) fn forget(fd: i32) {
    let Some(watchers) = table::watchers(fd) else { return };
    each_watcher(watchers.swap(0, Ordering::AcqRel), |_, set| {
        set.members.hold().take(fd);
    });
}

/// The incoming road of `fd` is VMMC and its doorbell has been answered or was never asked for: whoever waits for it in a
/// set must look by itself, or a doorbell must be asked for again. The receive gate is held.
#[inline]
pub(crate) fn notice(connection: &'static Connection, fd: i32) {
    let Some(watchers) = table::watchers(fd) else { return };
    let word = watchers.load(Ordering::Acquire);
    if word == 0 || word & HOT != 0 || !ready::on_ring(connection) {
        return;
    }
    make_hot(connection, fd, word);
}

#[cold]
fn make_hot(connection: &'static Connection, fd: i32, watchers: u64) {
    let mut asleep = false;
    each_watcher(watchers, |_, set| {
        set.accelerated.store(true, Ordering::Release);
        asleep |= set.sleepers.load(Ordering::SeqCst) > 0;
    });
    if asleep {
        connection.receiver().arm();
        return;
    }
    if let Some(word) = table::watchers(fd) {
        word.fetch_or(HOT, Ordering::AcqRel);
    }
    each_watcher(watchers, |_, set| heat(&mut set.members.hold(), fd));
}

fn heat(members: &mut Members, fd: i32) {
    if let Some(member) = members.by_fd.get_mut(&fd)
        && !member.is_hot
    {
        member.is_hot = true;
        members.hot.push(fd);
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
        _ => return Ending::Bypass,
    };
    if event.is_none() && op != libc::EPOLL_CTL_DEL {
        return Ending::Bypass;
    }
    let set = set::get(number);
    let mut members = set.members.hold();
    if let Some(ending) = change_hot(&mut members, op, fd, event) {
        return ending;
    }
    bring_up(&mut members, epfd, fd);
    if let Err(error) = kernel::epoll_ctl(epfd, op, fd, event) {
        return Ending::Failed(error);
    }
    let _ = members.take(fd).map(|old| members.hot.retain(|hot| !old.is_hot || *hot != fd));
    match event {
        Some(event) if op != libc::EPOLL_CTL_DEL => enter(set, &mut members, number, fd, what, event),
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
        enabled: true,
        mark: None,
        out_due: true,
        is_hot: false,
    };
    members.by_fd.insert(fd, member);
    members.index(fd, event.u64);
    let bit = if number < 62 { 1 << number } else { OTHERS };
    let Some(watchers) = table::watchers(fd) else { return };
    let before = watchers.fetch_or(bit, Ordering::AcqRel);
    match what {
        What::Socket(connection) if ready::on_ring(connection) => {
            set.accelerated.store(true, Ordering::Release);
            if before & HOT != 0 || !connection.recv.is_armed() || ready::has_news(connection) {
                watchers.fetch_or(HOT, Ordering::AcqRel);
                heat(members, fd);
            }
        }
        What::Set(_) => {
            set.accelerated.store(true, Ordering::Release);
            members.nested.push(fd);
        }
        What::Socket(_) => {}
    }
}

/// A change that the kernel need not hear of now: the member is hot, so its events are looked for here. `None`: it must.
fn change_hot(members: &mut Members, op: i32, fd: i32, event: Option<EpollEvent>) -> Option<Ending> {
    let member = members.by_fd.get_mut(&fd)?;
    let What::Socket(connection) = member.what else { return None };
    let plain = |events: u32| events & (libc::EPOLLONESHOT | libc::EPOLLEXCLUSIVE) as u32 == 0;
    if !member.is_hot || !ready::on_ring(connection) || connection.send.road() != Road::Vmmc || !plain(member.events) {
        return None;
    }
    match (op, event) {
        (libc::EPOLL_CTL_DEL, _) if member.removed => return Some(Ending::Failed(Errno(libc::ENOENT))),
        (libc::EPOLL_CTL_DEL, _) => member.removed = true,
        (libc::EPOLL_CTL_MOD, Some(_)) if member.removed => return Some(Ending::Failed(Errno(libc::ENOENT))),
        (libc::EPOLL_CTL_ADD, Some(_)) if !member.removed => return Some(Ending::Failed(Errno(libc::EEXIST))),
        (libc::EPOLL_CTL_ADD | libc::EPOLL_CTL_MOD, Some(event)) if plain(event.events) => {
            (member.events, member.data) = (event.events, event.u64);
            (member.removed, member.enabled, member.mark, member.out_due) = (false, true, None, true);
        }
        _ => return None,
    }
    if !members.behind.contains(&fd) {
        members.behind.push(fd);
    }
    Some(Ending::Handled(0))
}

/// Tells the kernel what one member has become.
fn bring_up(members: &mut Members, epfd: i32, fd: i32) {
    members.behind.retain(|behind| *behind != fd);
    let Some(member) = members.by_fd.get(&fd).copied() else { return };
    if member.removed {
        let _ = kernel::epoll_ctl(epfd, libc::EPOLL_CTL_DEL, fd, None);
        members.take(fd);
        members.hot.retain(|hot| *hot != fd);
    } else if member.kernel != (member.events, member.data) {
        let event = EpollEvent { events: member.events, u64: member.data };
        let _ = kernel::epoll_ctl(epfd, libc::EPOLL_CTL_MOD, fd, Some(event));
        members.unindex(fd, member.kernel.1);
        members.index(fd, member.data);
        if let Some(member) = members.by_fd.get_mut(&fd) {
            member.kernel = (member.events, member.data);
        }
    }
}

fn bring_all_up(members: &mut Members, epfd: i32) {
    while let Some(fd) = members.behind.last().copied() {
        bring_up(members, epfd, fd);
    }
}

/// Whether waits on this set are ours to do.
pub(crate) fn is_accelerated(number: usize) -> bool {
    set::get(number).accelerated.load(Ordering::Acquire)
}

/// Whether a hot member has something to report, by our own knowledge.
pub(super) fn has_news(number: usize) -> bool {
    set_has_news(number, 0)
}

fn set_has_news(number: usize, depth: u32) -> bool {
    let members = set::get(number).members.hold();
    let hot = members.hot.iter().any(|fd| {
        members.by_fd.get(fd).is_some_and(|member| match member.what {
            What::Socket(connection) => pending(member, connection) != 0,
            What::Set(_) => false,
        })
    });
    hot || depth < DEPTH_MAX
        && members.nested.iter().any(|fd| {
            members
                .by_fd
                .get(fd)
                .is_some_and(|member| matches!(member.what, What::Set(inner) if set_has_news(inner, depth + 1)))
        })
}

/// What a hot member would report now: no system call.
#[inline]
fn pending(member: &Member, connection: &Connection) -> u32 {
    if !member.enabled || member.removed || !ready::on_ring(connection) {
        return 0;
    }
    let edge = member.has(libc::EPOLLET);
    let mut bits = 0;
    if member.events & READABLE != 0
        && ready::has_news(connection)
        && !(edge && member.mark == Some(connection.receiver().mark()))
    {
        bits |= member.events & READABLE;
    }
    if member.events & WRITABLE != 0 && connection.send.road() == Road::Vmmc && (!edge || member.out_due || bits != 0) {
        bits |= member.events & WRITABLE;
    }
    bits
}

/// `epoll_wait`, `epoll_pwait`, `epoll_pwait2`.
///
/// Source: epoll_wait(2). `Bypass` while no member's data has come over VMMC.
pub fn epoll_wait(epfd: i32, events: &mut [EpollEvent], timeout: Option<Duration>, sigmask: Option<u64>) -> Ending {
    let table::Entry::Epoll(number) = table::entry(epfd) else { return Ending::Bypass };
    if events.is_empty() || !is_accelerated(number) {
        return Ending::Bypass;
    }
    match (Wait { epfd, set: set::get(number), number }).run(events, timeout, sigmask) {
        Ok(n) => Ending::Handled(n as isize),
        Err(error) => Ending::Failed(error),
    }
}

/// One wait on one set.
struct Wait {
    epfd: i32,
    set: &'static Set,
    number: usize,
}

impl Wait {
    fn run(&self, out: &mut [EpollEvent], timeout: Option<Duration>, sigmask: Option<u64>) -> Result<usize, Errno> {
        let deadline = Deadline::after(timeout);
        let mut budget = settings::spin_max_micros();
        loop {
            let mut found = self.collect(out);
            if found < out.len() && (timeout == Some(Duration::ZERO) || self.kernel_is_due()) {
                found += self.ask_kernel(out, found, Some(Duration::ZERO), None)?;
            }
            if found > 0 || timeout == Some(Duration::ZERO) {
                if self.set.sleepers.load(Ordering::SeqCst) > 0 {
                    arm_hot(self.number, 0);
                }
                return Ok(found);
            }
            if budget > 0 && self.set.sleepers.load(Ordering::Relaxed) == 0 {
                let slice = budget.min(KERNEL_LOOK_MICROS);
                budget -= slice;
                if spin::at_most_learnt(&self.set.spin, slice, || has_news(self.number))
                    || budget > 0 && spin::is_worth_it(&self.set.spin)
                {
                    continue;
                }
            }
            let (found, in_time) = self.sleep(out, deadline, sigmask)?;
            if found > 0 || !in_time {
                return Ok(found);
            }
        }
    }

    fn kernel_is_due(&self) -> bool {
        let now = clock::ticks();
        let due = now.wrapping_sub(self.set.looked.load(Ordering::Relaxed)) >= settings::ticks(KERNEL_LOOK_MICROS);
        if due {
            self.set.looked.store(now, Ordering::Relaxed);
        }
        due
    }

    /// Reports of hot members; members that are not on the ring any more leave the list.
    fn collect(&self, out: &mut [EpollEvent]) -> usize {
        let mut members = self.set.members.hold();
        let members = &mut *members;
        let count = members.hot.len();
        members.turn = if members.turn + 1 >= count { 0 } else { members.turn + 1 };
        let (mut found, mut stale) = (0, false);
        for n in 0..count {
            let Some(fd) = members.hot.get((n + members.turn) % count) else { break };
            let Some(member) = members.by_fd.get_mut(fd) else {
                stale = true;
                continue;
            };
            let What::Socket(connection) = member.what else { continue };
            if !ready::on_ring(connection) {
                member.is_hot = false;
                stale = true;
                continue;
            }
            let bits = pending(member, connection);
            if bits == 0 {
                continue;
            }
            let Some(place) = out.get_mut(found) else { break };
            *place = EpollEvent { events: bits, u64: member.data };
            found += 1;
            reported(member, connection, bits);
        }
        if stale {
            let by_fd = &members.by_fd;
            members.hot.retain(|fd| {
                let keep = by_fd.get(fd).is_some_and(|member| member.is_hot);
                if !keep && let Some(watchers) = table::watchers(*fd) {
                    watchers.fetch_and(!HOT, Ordering::AcqRel);
                }
                keep
            });
        }
        found
    }

    /// Asks the kernel's set, and puts what is true of it behind the first `from` reports.
    fn ask_kernel(
        &self,
        out: &mut [EpollEvent],
        from: usize,
        timeout: Option<Duration>,
        sigmask: Option<u64>,
    ) -> Result<usize, Errno> {
        let Some(room) = out.get_mut(from..) else { return Ok(0) };
        let reported = kernel::epoll_wait(self.epfd, room, timeout, sigmask)?;
        if reported == 0 {
            return Ok(0);
        }
        self.set.looked.store(clock::ticks(), Ordering::Relaxed);
        let mut kept = from;
        for at in from..from + reported {
            let Some(event) = out.get(at).copied() else { break };
            let corrected = self.correct(event, out.get(..from).unwrap_or_default());
            if let (Some(event), Some(place)) = (corrected, out.get_mut(kept)) {
                *place = event;
                kept += 1;
            }
        }
        Ok(kept - from)
    }

    /// What is true of one kernel report; `None`: nothing.
    fn correct(&self, event: EpollEvent, already: &[EpollEvent]) -> Option<EpollEvent> {
        let data = event.u64;
        let members = self.set.members.hold();
        let Some(fds) = members.by_data.get(&data) else { return Some(event) };
        if let [fd] = fds.as_slice() {
            let fd = *fd;
            return self.correct_one(members, fd, event, already);
        }
        // Several members share these data: whichever of them has something answers for the report.
        let fds = fds.clone();
        drop(members);
        fds.into_iter().find_map(|fd| self.correct_one(self.set.members.hold(), fd, event, already))
    }

    fn correct_one(
        &self,
        mut members: crate::lock::Held<'_, Members>,
        fd: i32,
        event: EpollEvent,
        already: &[EpollEvent],
    ) -> Option<EpollEvent> {
        let member = members.by_fd.get_mut(&fd)?;
        if member.removed || !member.enabled {
            return None;
        }
        let asked = member.events | (libc::EPOLLERR | libc::EPOLLHUP) as u32;
        let (what, data) = (member.what, member.data);
        let mut bits = event.events & asked;
        drop(members);
        match what {
            What::Socket(connection) if ready::on_ring(connection) => {
                if bits & READABLE != 0 && !ready::readable(connection, fd) {
                    bits &= !READABLE;
                }
                if let Some(watchers) = table::watchers(fd) {
                    make_hot_after_report(connection, fd, watchers.load(Ordering::Acquire));
                }
            }
            What::Set(inner) if bits & READABLE != 0 && !has_news(inner) && !is_ready(inner, fd) => bits &= !READABLE,
            _ => {}
        }
        if bits == 0 || already.iter().any(|report| report.u64 == data && bits & !report.events == 0) {
            return None;
        }
        let mut members = self.set.members.hold();
        let member = members.by_fd.get_mut(&fd)?;
        if let What::Socket(connection) = member.what {
            if member.has(libc::EPOLLET) && ready::on_ring(connection) && bits & !WRITABLE == 0 && !member.out_due {
                return None;
            }
            reported(member, connection, bits);
        } else if member.has(libc::EPOLLONESHOT) {
            member.enabled = false;
        }
        Some(EpollEvent { events: bits, u64: data })
    }

    /// Arms what is hot, brings the kernel's set up to date and sleeps in it. `false`: time is up.
    fn sleep(&self, out: &mut [EpollEvent], deadline: Deadline, sigmask: Option<u64>) -> Result<(usize, bool), Errno> {
        let news = arm(self.number);
        bring_all_up(&mut self.set.members.hold(), self.epfd);
        let left = if news { Some(Duration::ZERO) } else { deadline.left() };
        let found = self.ask_kernel(out, 0, left, sigmask);
        woke(self.number);
        found.map(|found| (found, news || deadline.left() != Some(Duration::ZERO)))
    }
}

/// Notes that a member was reported.
fn reported(member: &mut Member, connection: &Connection, bits: u32) {
    if member.has(libc::EPOLLONESHOT) {
        member.enabled = false;
    }
    if bits & READABLE != 0 && ready::on_ring(connection) {
        member.mark = Some(connection.receiver().mark());
    }
    if bits & WRITABLE != 0 {
        member.out_due = false;
    }
}

/// The kernel reported the member, so its doorbell is spent: it is looked at here again.
fn make_hot_after_report(connection: &'static Connection, fd: i32, watchers: u64) {
    if watchers & HOT == 0 && !connection.recv.is_armed() {
        if let Some(word) = table::watchers(fd) {
            word.fetch_or(HOT, Ordering::AcqRel);
        }
        each_watcher(watchers, |_, set| {
            set.accelerated.store(true, Ordering::Release);
            heat(&mut set.members.hold(), fd);
        });
    }
}

/// Before a sleep on the set: every hot member (also of sets within) asks for a doorbell. `true`: there is news.
/// [`woke`] must follow.
pub(super) fn arm(number: usize) -> bool {
    arm_nested(number, 0)
}

fn arm_nested(number: usize, depth: u32) -> bool {
    set::get(number).sleepers.fetch_add(1, Ordering::SeqCst);
    let mut news = arm_hot(number, 0);
    if depth < DEPTH_MAX {
        for inner in inner_sets(number) {
            news |= arm_nested(inner, depth + 1);
        }
    }
    news
}

fn inner_sets(number: usize) -> Vec<usize> {
    let members = set::get(number).members.hold();
    let inner = |fd: &i32| match members.by_fd.get(fd)?.what {
        What::Set(inner) => Some(inner),
        What::Socket(_) => None,
    };
    members.nested.iter().filter_map(inner).collect()
}

/// After the sleep that [`arm`] prepared.
pub(super) fn woke(number: usize) {
    woke_nested(number, 0);
}

fn woke_nested(number: usize, depth: u32) {
    let sleepers = &set::get(number).sleepers;
    let _ = sleepers.fetch_update(Ordering::SeqCst, Ordering::Relaxed, |n| n.checked_sub(1));
    if depth < DEPTH_MAX {
        for inner in inner_sets(number) {
            woke_nested(inner, depth + 1);
        }
    }
}

/// Arms the hot members of one set. Those with news stay hot.
fn arm_hot(number: usize, from: usize) -> bool {
    let set = set::get(number);
    let mut news = false;
    let mut at = from;
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
            news |= pending(&member, connection) != 0 || connection.recv.road() == Road::Kernel;
            at += 1;
            continue;
        }
        news |= !ready::on_ring(connection);
        cool(&mut set.members.hold(), fd);
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

/// The kernel says that the set itself is readable: whether that is more than doorbells.
pub(super) fn is_ready(number: usize, epfd: i32) -> bool {
    let members = set::get(number).members.hold();
    let armed: Vec<(i32, What)> = members.by_fd.iter().map(|(fd, member)| (*fd, member.what)).collect();
    drop(members);
    for (fd, what) in armed {
        let ready = match what {
            What::Socket(connection) => ready::on_ring(connection) && drop_doorbells(connection, fd),
            What::Set(inner) => has_news(inner) || is_ready(inner, fd),
        };
        if ready {
            return true;
        }
    }
    let mut poll = [PollFd { fd: epfd, events: libc::POLLIN, revents: 0 }];
    let _ = kernel::poll(&mut poll, Some(Duration::ZERO), None);
    poll[0].revents != 0
}

fn drop_doorbells(connection: &'static Connection, fd: i32) -> bool {
    let mut poll = [PollFd { fd, events: libc::POLLIN, revents: 0 }];
    let _ = kernel::poll(&mut poll, Some(Duration::ZERO), None);
    poll[0].revents != 0 && ready::readable(connection, fd)
}
