//! `epoll_wait`: the kernel's set holds every registration; what the ring knows is added, doorbells are taken away.
use super::hot::{self, HOT};
use super::set::{self, Member, Members, READABLE, Set, WRITABLE, What};
use super::{Deadline, KERNEL_LOOK_MICROS, asleep, interrupted, nested, ready, registration, shared};
use crate::connection::Connection;
use crate::{Ending, doorbell, family, roads, settings, spin, table};
use std::time::Duration;
use vmmc_os::{EpollEvent, Errno, abi, clock, kernel};
use vmmc_stream::Road;
use vmmc_sync::Ordering;

/// `epoll_wait`, `epoll_pwait`, `epoll_pwait2`.
///
/// Source: epoll_wait(2). `Bypass` while no member's data has come over VMMC.
pub fn epoll_wait(epfd: i32, events: &mut [EpollEvent], timeout: Option<Duration>, sigmask: Option<u64>) -> Ending {
    let table::Entry::Epoll(number) = table::entry(epfd) else { return Ending::Bypass };
    if events.is_empty() || !shared::is_accelerated(number) {
        return Ending::Bypass;
    }
    match (Wait { epfd, set: set::get(number), number }).run(events, timeout, sigmask) {
        Ok(n) => Ending::Handled(n as isize),
        Err(error) => Ending::Failed(error),
    }
}

/// The kernel alone was waited for, since no member's data had come over VMMC when that began: how many of its reports are true, now
/// at the front. `None`: it is so still, and all of them are. Otherwise another thread has added a connection meanwhile, or one has
/// moved, and a report may be of a doorbell.
pub fn epoll_waited(epfd: i32, reports: &mut [EpollEvent]) -> Option<usize> {
    let table::Entry::Epoll(number) = table::entry(epfd) else { return None };
    let set = set::get(number);
    // Whoever has just added one is still at work on the set.
    if set.members.is_own() {
        return None;
    }
    drop(set.members.hold());
    if !shared::is_accelerated(number) {
        return None;
    }
    let wait = Wait { epfd, set, number };
    Some(wait.settle(wait.begin_look(), reports, 0, reports.len()))
}

/// One wait on one set.
struct Wait {
    epfd: i32,
    set: &'static Set,
    number: usize,
}

impl Wait {
    fn run(&self, out: &mut [EpollEvent], timeout: Option<Duration>, sigmask: Option<u64>) -> Result<usize, Errno> {
        let waited = self.wait(out, timeout, sigmask);
        // What this thread leaves unarmed would not wake those that sleep on.
        if self.set.sleepers.load(Ordering::SeqCst) > 0 {
            hot::arm_hot(self.number, &mut Vec::new());
        }
        waited
    }

    fn wait(&self, out: &mut [EpollEvent], timeout: Option<Duration>, sigmask: Option<u64>) -> Result<usize, Errno> {
        let deadline = Deadline::after(timeout);
        let only_looks = timeout == Some(Duration::ZERO);
        let mut budget = None;
        loop {
            let hot = hot::count(self.number);
            let any_hot = hot > 0;
            let found = if any_hot || only_looks { self.look(out, only_looks)? } else { 0 };
            if found > 0 || only_looks {
                return Ok(found);
            }
            let budget = budget.get_or_insert_with(|| spin::Budget::grant(&self.set.spin, hot));
            let may_spin = any_hot && self.set.sleepers.load(Ordering::Relaxed) == 0;
            if may_spin {
                let has_news = || hot::has_news(self.number);
                if budget.slice(KERNEL_LOOK_MICROS, sigmask, has_news).map_err(interrupted)? || !budget.is_spent() {
                    continue;
                }
                budget.failed();
            }
            let (found, in_time) = self.sleep(out, deadline, sigmask)?;
            if found > 0 || !in_time {
                return Ok(found);
            }
        }
    }

    /// Hot members, and now and then the kernel's set. One place is kept for the latter then, so that busy members starve
    /// nobody; if there is only one, the kernel's set comes first.
    fn look(&self, out: &mut [EpollEvent], only_looks: bool) -> Result<usize, Errno> {
        let (due, number) = (self.kernel_is_due(), self.begin_look());
        if due && out.len() == 1 && self.ask_kernel(number, out, 0)? > 0 {
            return Ok(1);
        }
        if due {
            hot::cool_idle(self.number);
        }
        let places = out.len() - usize::from(due && out.len() > 1);
        let found = self.collect(number, out.get_mut(..places).unwrap_or_default());
        if found == out.len() || !(due || only_looks && found == 0) {
            return Ok(found);
        }
        Ok(found + self.ask_kernel(number, out, found)?)
    }

    /// The number of a look, by which it knows what it has reported.
    fn begin_look(&self) -> u64 {
        let mut members = self.set.enter();
        members.look += 1;
        members.look
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
    fn collect(&self, look: u64, out: &mut [EpollEvent]) -> usize {
        let mut members = self.set.members.hold();
        let (members, mut others_ask) = (&mut *members, false);
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
            let mark = connection.receiver().mark();
            let mut bits = hot::pending(member, connection, *fd, mark);
            if bits == 0 {
                member.looked_at(mark);
                continue;
            }
            if connection.receiver().end_hinted() {
                bits |= end_bits(connection, *fd) & asked(member);
            }
            let Some(place) = out.get_mut(found) else { break };
            *place = EpollEvent { events: bits, u64: member.data };
            member.reported = (look, found);
            found += 1;
            reported(member, mark);
            shared::note_told(self.number, connection, mark);
            if !member.enabled {
                member.unheard = true;
                others_ask |= family::is_shared(connection);
            }
        }
        if others_ask {
            nested::tell_spent(members, self.epfd);
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
    fn ask_kernel(&self, look: u64, out: &mut [EpollEvent], from: usize) -> Result<usize, Errno> {
        let Some(room) = out.get_mut(from..) else { return Ok(0) };
        registration::bring_moved_up(&mut self.set.members.hold(), self.epfd);
        let reported = kernel::epoll_wait(self.epfd, room, Some(Duration::ZERO), None)?;
        Ok(self.settle(look, out, from, reported))
    }

    /// Of the kernel's `reported` events behind the first `from` reports, what is true: how many those are.
    fn settle(&self, look: u64, out: &mut [EpollEvent], from: usize, reported: usize) -> usize {
        if reported == 0 {
            return 0;
        }
        self.set.looked.store(clock::ticks(), Ordering::Relaxed);
        let mut kept = from;
        for at in from..from + reported {
            let Some(event) = out.get(at).copied() else { break };
            let corrected = self.correct(look, event, out.get_mut(..from).unwrap_or_default());
            if let (Some(event), Some(place)) = (corrected, out.get_mut(kept)) {
                *place = event;
                kept += 1;
            }
        }
        kept - from
    }

    /// What is true of one kernel report; `None`: nothing, or nothing more than `already` says now.
    fn correct(&self, look: u64, event: EpollEvent, already: &mut [EpollEvent]) -> Option<EpollEvent> {
        let members = self.set.enter();
        let Some(fds) = members.by_data.get(&{ event.u64 }) else { return Some(event) };
        if let [fd] = fds.as_slice() {
            let fd = *fd;
            return self.correct_one(members, look, fd, event, already);
        }
        // Several members share these data: the first that has something and was not reported yet answers for the report.
        let is_new = |fd: &&i32| members.by_fd.get(fd).is_some_and(|member| member.reported.0 != look);
        let mut fds: Vec<i32> = fds.iter().filter(is_new).copied().collect();
        let is_other = |fd: &i32| members.by_fd.get(fd).is_some_and(|member| matches!(member.what, What::Other));
        fds.sort_by_key(is_other);
        drop(members);
        fds.into_iter().find_map(|fd| {
            let mut members = self.set.members.hold();
            let member = members.by_fd.get_mut(&fd)?;
            if matches!(member.what, What::Other) {
                if kernel::events_now(fd, member.events as i16) & !abi::POLLNVAL == 0 {
                    return None;
                }
                member.reported = (look, usize::MAX);
            }
            self.correct_one(members, look, fd, event, already)
        })
    }

    fn correct_one(
        &self,
        mut members: crate::lock::Held<'_, Members>,
        look: u64,
        fd: i32,
        event: EpollEvent,
        already: &mut [EpollEvent],
    ) -> Option<EpollEvent> {
        let member = members.by_fd.get_mut(&fd)?;
        if matches!(member.what, What::Other) {
            return Some(event);
        }
        if !member.enabled || member.removed {
            return None;
        }
        let asked = asked(member);
        let mark = arrived(member);
        let (what, data) = (member.what, member.data);
        let mut bits = event.events & asked;
        if let What::Socket(connection) = what {
            bits = ready::without_false_reset(connection, bits) & asked;
        }
        drop(members);
        let mut bits = that_hold(what, fd, bits, asked);
        if bits == 0 {
            self.rearm(fd);
            return None;
        }
        let mut members = self.set.members.hold();
        // Another thread may have reported it, or removed it, meanwhile.
        let member = members.by_fd.get_mut(&fd).filter(|member| member.enabled && !member.removed)?;
        if let What::Socket(connection) = member.what {
            if member.has(abi::EPOLLET) && ready::on_ring(connection) {
                bits = new_edges(member, connection, fd, bits, mark);
            }
            if bits == 0 {
                return None;
            }
            hot::ring_for_next(connection, member, mark);
            shared::note_told(self.number, connection, mark);
        }
        reported(member, mark);
        // One report a member, as the kernel does: a program may free what the data stand for while it handles the first.
        let before = core::mem::replace(&mut member.reported, (look, usize::MAX));
        if before.0 == look
            && let Some(report) = already.get_mut(before.1)
        {
            report.events |= bits;
            return None;
        }
        Some(EpollEvent { events: bits, u64: data })
    }

    /// The kernel has spent a one-shot registration on a doorbell: it is made anew.
    fn rearm(&self, fd: i32) {
        let members = self.set.members.hold();
        if let Some(member) = members.by_fd.get(&fd)
            && member.has(abi::EPOLLONESHOT)
            && member.enabled
            && !member.removed
        {
            registration::tell_again(member, self.epfd, fd);
        }
    }

    /// Arms what is hot, brings the kernel's set up to date and sleeps in it. `false`: time is up.
    fn sleep(&self, out: &mut [EpollEvent], deadline: Deadline, sigmask: Option<u64>) -> Result<(usize, bool), Errno> {
        let armed = hot::arm(self.number);
        let news = armed.news;
        registration::bring_all_up(&mut self.set.members.hold(), self.epfd);
        let left = if news { Some(Duration::ZERO) } else { deadline.left() };
        let look = self.begin_look();
        let reported = asleep(&armed, || kernel::epoll_wait(self.epfd, out, left, sigmask));
        // No longer a sleeper: what the reports lead to is for those who sleep on.
        let cooled = armed.wake();
        let found = self.settle(look, out, 0, reported?);
        if found > 0 && !news {
            hot::reheat(cooled);
        }
        Ok((found, news || deadline.left() != Some(Duration::ZERO)))
    }
}

/// The kernel reported `fd`, perhaps because of the first doorbell of a ring that no receive has come upon: from then on what comes
/// is no longer the kernel's to tell.
fn follow_switch(connection: &'static Connection, fd: i32) {
    if !connection.is_paired() || connection.recv.road() == Road::Vmmc || !connection.receiver().has_news() {
        return;
    }
    if let Some(_alone) = connection.recv_gate.alone(crate::process::id())
        && connection.receiver().look().is_ok()
        && connection.recv.road() == Road::Vmmc
    {
        roads::note_incoming(connection, fd);
    }
}

/// What holds of a kernel report, where so much is asked for.
fn that_hold(what: What, fd: i32, bits: u32, asked: u32) -> u32 {
    if let What::Socket(connection) = what {
        follow_switch(connection, fd);
    }
    let is_readable = match what {
        What::Socket(connection) if ready::on_ring(connection) => {
            // A report tells all that holds, of which the kernel knows its own part.
            let is_readable =
                if bits & READABLE != 0 { ready::readable(connection, fd) } else { ready::has_bytes(connection) };
            hot::make_hot_after_report(connection, fd);
            return bits & !READABLE | if is_readable { asked & READABLE } else { 0 };
        }
        _ if bits & READABLE == 0 => return bits,
        // If the connection moved back with the report of another of its descriptors, this one may tell of a doorbell.
        What::Socket(connection) => !has_others(connection) || ready::kernel_readable(fd),
        What::Set(inner) => hot::has_news(inner) || nested::is_ready(inner, fd),
        What::Other => true,
    };
    if is_readable { bits } else { bits & !READABLE }
}

/// What of a kernel report is news to an edge-triggered member: not the doorbell of bytes that it has been told of, nor the
/// writability that a doorbell's edge brings along. On the kernel road that is what a full buffer's sender waits for.
pub(super) fn new_edges(member: &Member, connection: &Connection, fd: i32, bits: u32, mark: u64) -> u32 {
    // Behind the unread bytes of a sender that has left the ring there may be others in the kernel's queue.
    let is_told = member.mark == Some(mark)
        && !member.is_changed
        && bits & !(READABLE | WRITABLE) == 0
        && doorbell::queued(fd) <= connection.receiver().doorbells() as u64
        // The end of the stream is an edge to everybody.
        && kernel::events_now(fd, abi::POLLRDHUP) == 0;
    match connection.send.road() {
        _ if !is_told => bits,
        Road::Vmmc => 0,
        Road::Kernel => bits & WRITABLE,
    }
}

/// A connection that has been on the ring, and to which more than one descriptor refers.
fn has_others(connection: &Connection) -> bool {
    connection.is_paired() && connection.references.load(Ordering::Relaxed) > 1
}

/// What a member can report.
fn asked(member: &Member) -> u32 {
    member.events | (abi::EPOLLERR | abi::EPOLLHUP) as u32
}

/// What has come into a member's ring, if it has one.
pub(super) fn arrived(member: &Member) -> u64 {
    match member.what {
        What::Socket(connection) if connection.is_paired() => connection.receiver().mark(),
        _ => 0,
    }
}

/// Notes that a member was reported, `mark` having come by then.
fn reported(member: &mut Member, mark: u64) {
    if member.has(abi::EPOLLONESHOT) {
        member.enabled = false;
    }
    (member.mark, member.is_changed) = (Some(mark), false);
}

/// What the kernel says of the connection's end, by epoll's and poll's common bits.
fn end_bits(connection: &Connection, fd: i32) -> u32 {
    ready::without_false_reset(connection, kernel::events_now(fd, abi::POLLRDHUP) as u16 as u32)
}

#[cfg(test)]
mod tests {
    use super::super::asleep;
    use core::ffi::c_void;
    use core::ptr::{null, null_mut};
    use vmmc_os::kernel;
    use vmmc_sync::{AtomicU32, Ordering};

    unsafe extern "C" {
        fn pthread_create(
            thread: *mut usize,
            attributes: *const c_void,
            body: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
            argument: *mut c_void,
        ) -> i32;
        fn pthread_cancel(thread: usize) -> i32;
        fn pthread_join(thread: usize, result: *mut *mut c_void) -> i32;
    }

    struct Counted(&'static AtomicU32);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    static SLEEPERS: AtomicU32 = AtomicU32::new(0);

    extern "C-unwind" fn sleeps(_: *mut c_void) -> *mut c_void {
        // Leaked: only the library itself is built without the landing pads that would drop it once more here.
        let held = Box::leak(Box::new(Counted(&SLEEPERS)));
        SLEEPERS.fetch_add(1, Ordering::SeqCst);
        let _ = asleep(held, || kernel::poll(&mut [], None, None));
        null_mut()
    }

    #[test]
    fn a_cancelled_sleeper_is_counted_no_more() {
        let mut thread = 0;
        // SAFETY: a thread of our own that reads no argument.
        assert_eq!(unsafe { pthread_create(&raw mut thread, null(), sleeps, null_mut()) }, 0);
        while SLEEPERS.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        // SAFETY: the thread has not been joined yet.
        let ended = unsafe { (pthread_cancel(thread), pthread_join(thread, null_mut())) };
        assert_eq!((ended, SLEEPERS.load(Ordering::SeqCst)), ((0, 0), 0));
    }
}
