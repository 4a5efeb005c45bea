//! Sets that are asked themselves, by `poll`, `select` or another set: whether they would report anything.
use super::epoll::{arrived, new_edges};
use super::hot;
use super::ready;
use super::registration::{self, bring_all_up};
use super::set::{self, Member, Members, READABLE, WRITABLE, What};
use crate::connection::Connection;
use crate::doorbell;
use std::time::Duration;
use vmmc_os::{EpollEvent, abi, kernel};

/// So many of the kernel's reports are taken at once.
const AT_ONCE: usize = 32;

/// Tells the kernel's set what it has not heard of, before the set itself is asked whether it is readable.
pub(super) fn catch_up(number: usize, epfd: i32) {
    let mut members = set::get(number).enter();
    bring_all_up(&mut members, epfd);
    let inner: Vec<(i32, What)> =
        members.nested.iter().filter_map(|fd| Some((*fd, members.by_fd.get(fd)?.what))).collect();
    drop(members);
    for (fd, what) in inner {
        if let What::Set(set) = what {
            catch_up(set, fd);
        }
    }
}

/// The kernel says that the set itself is readable: whether that is more than doorbells.
pub(super) fn is_ready(number: usize, epfd: i32) -> bool {
    spend(number);
    let members = set::get(number).enter();
    let mut has_edges = false;
    let armed: Vec<(i32, Member)> = members
        .by_fd
        .iter()
        .filter(|(_, member)| !member.removed && member.enabled)
        .inspect(|(_, member)| has_edges |= member.has(abi::EPOLLET) && has_ring(member))
        .filter(|(_, member)| member.events & READABLE != 0)
        .map(|(fd, member)| (*fd, *member))
        .collect();
    drop(members);
    if has_edges {
        drop_told_edges(number);
    }
    for (fd, member) in armed {
        let ready = match member.what {
            What::Socket(connection) if member.has(abi::EPOLLET) => {
                hot::pending(&member, connection, fd, arrived(&member)) != 0
            }
            What::Socket(connection) => ready::on_ring(connection) && drop_doorbells(connection, fd),
            What::Set(inner) => hot::has_news(inner) || is_ready(inner, fd),
            What::Other => false,
        };
        if ready {
            return true;
        }
    }
    kernel::events_now(epfd, abi::POLLIN) != 0
}

/// Tells the kernel which one-shot registrations have been reported out of memory; to it they tell of a hang-up still.
pub(super) fn tell_spent(members: &mut Members, epfd: i32) {
    each_unheard(members, epfd, |_| 0);
}

/// As [`tell_spent`], for good: the kernel reports each of them once more, and here that is nobody's news.
pub(super) fn spend(number: usize) {
    let mut members = set::get(number).enter();
    let epfd = members.epfd;
    let any = each_unheard(&mut members, epfd, |fd| kernel::events_now(fd, abi::POLLOUT).cast_unsigned().into());
    drop(members);
    if any {
        drop_told_edges(number);
    }
}

/// Registers each for what `events` says, and nothing else: whether there was one.
fn each_unheard(members: &mut Members, epfd: i32, events: impl Fn(i32) -> u32) -> bool {
    let mut any = false;
    for (fd, member) in members.by_fd.iter_mut().filter(|(_, member)| member.unheard && !member.removed) {
        let spent = EpollEvent { events: abi::EPOLLONESHOT as u32 | events(*fd), u64: member.kernel.1 };
        let _ = kernel::epoll_ctl(epfd, abi::EPOLL_CTL_MOD, *fd, Some(spent));
        member.unheard = false;
        any = true;
    }
    any
}

fn drop_doorbells(connection: &'static Connection, fd: i32) -> bool {
    kernel::events_now(fd, abi::POLLIN) != 0 && ready::readable(connection, fd)
}

/// A connection whose data come over VMMC.
pub(super) fn has_ring(member: &Member) -> bool {
    matches!(member.what, What::Socket(connection) if ready::on_ring(connection))
}

/// The kernel reports an edge once, and takes the doorbell of what has been told for one. So its reports are taken, and what is
/// news is registered anew, which the kernel takes for an edge as well; what is reported as long as it holds stays in any case.
pub(super) fn drop_told_edges(number: usize) {
    let members = set::get(number).enter();
    let (epfd, count) = (members.epfd, members.by_fd.len());
    drop(members);
    let mut reports = [EpollEvent { events: 0, u64: 0 }; AT_ONCE];
    for _ in 0..count.div_ceil(AT_ONCE) {
        let Ok(reported) = kernel::epoll_wait(epfd, &mut reports, Some(Duration::ZERO), None) else { return };
        for report in reports.iter().take(reported) {
            let members = set::get(number).enter();
            let fds = members.by_data.get(&{ report.u64 }).cloned().unwrap_or_default();
            drop(members);
            for fd in fds {
                put_back(number, epfd, fd, report.events);
            }
        }
        if reported < AT_ONCE {
            return;
        }
    }
}

fn put_back(number: usize, epfd: i32, fd: i32, bits: u32) {
    let Some(member) = set::get(number).enter().by_fd.get(&fd).copied() else { return };
    if !member.enabled || member.removed || !member.has(abi::EPOLLET | abi::EPOLLONESHOT) {
        return;
    }
    let is_news = match member.what {
        What::Socket(connection) if ready::on_ring(connection) && member.has(abi::EPOLLET) => {
            let mark = arrived(&member);
            let bits = if ready::readable(connection, fd) { bits } else { bits & !READABLE };
            new_edges(&member, connection, fd, bits, mark) != 0
        }
        _ => bits & !(READABLE | WRITABLE) != 0 || !(1..=member.moved_told).contains(&doorbell::queued(fd)),
    };
    if !is_news && !member.has(abi::EPOLLONESHOT) {
        return;
    }
    let members = set::get(number).enter();
    // A change that has come meanwhile is an edge as well.
    if members.by_fd.get(&fd).is_some_and(|now| now.enabled && !now.removed && now.kernel == member.kernel) {
        registration::tell_again(&member, epfd, fd);
    }
}
