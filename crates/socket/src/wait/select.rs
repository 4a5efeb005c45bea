//! `select` and `pselect`, as poll sees them.
use super::Deadline;
use super::poll::{self, Kernel};
use crate::wait::ready;
use crate::{Ending, table};
use std::time::Duration;
use vmmc_os::{Errno, PollFd, abi, kernel};

/// Bits that put a descriptor into each of the sets, by poll's names. Source: fs/select.c.
const READ: i16 = abi::POLLRDNORM | abi::POLLRDBAND | abi::POLLIN | abi::POLLHUP | abi::POLLERR;
const WRITE: i16 = abi::POLLWRBAND | abi::POLLWRNORM | abi::POLLOUT | abi::POLLERR;
const EXCEPT: i16 = abi::POLLPRI;
/// poll tells of a hang-up and of errors whatever it was asked for; to the third set they are nothing.
const SELECT: Kernel = Kernel {
    ask: kernel::poll,
    sleep: kernel::select,
    counted: |events| {
        let of = |set, bits| if events & set != 0 { bits } else { 0 };
        of(abi::POLLIN, READ) | of(abi::POLLOUT, WRITE) | of(EXCEPT, EXCEPT) | abi::POLLNVAL
    },
};
/// Descriptors that are watched without allocating.
const FEW: usize = 64;

fn is_set(set: &Option<&mut [u64]>, fd: usize) -> bool {
    set.as_ref().and_then(|set| set.get(fd / 64)).is_some_and(|word| word & 1 << (fd % 64) != 0)
}

/// `select`, `pselect`: sets are bit arrays of `nfds` bits rounded up to words, changed in place when `Handled`.
/// `remaining`: set to the time left (Linux select updates its timeout; pselect callers ignore it).
///
/// Source: select(2). `Bypass` if no descriptor has anything on the VMMC road.
pub fn select<'a>(
    nfds: i32,
    mut read: Option<&'a mut [u64]>,
    mut write: Option<&'a mut [u64]>,
    mut except: Option<&'a mut [u64]>,
    timeout: Option<Duration>,
    sigmask: Option<u64>,
    remaining: &mut Duration,
) -> Ending {
    let nfds = usize::try_from(nfds).unwrap_or(0);
    if !(0..nfds).any(|fd| is_set(&read, fd) && is_ours(fd as i32)) {
        return Ending::Bypass;
    }
    let watched = |fd: &usize| is_set(&read, *fd) || is_set(&write, *fd) || is_set(&except, *fd);
    let entry = |fd: usize| {
        let bit = |set: &Option<&mut [u64]>, bits| if is_set(set, fd) { bits } else { 0 };
        let events = bit(&read, abi::POLLIN | abi::POLLRDNORM | abi::POLLRDBAND)
            | bit(&write, abi::POLLOUT | abi::POLLWRNORM)
            | bit(&except, EXCEPT);
        PollFd { fd: fd as i32, events, revents: 0 }
    };
    let mut few = [PollFd { fd: -1, events: 0, revents: 0 }; FEW];
    let mut many = Vec::new();
    let count = (0..nfds).filter(watched).count();
    let fds = if let Some(fds) = few.get_mut(..count) {
        for (place, fd) in fds.iter_mut().zip((0..nfds).filter(watched)) {
            *place = entry(fd);
        }
        fds
    } else {
        many.extend((0..nfds).filter(watched).map(entry));
        many.as_mut_slice()
    };
    let deadline = Deadline::after(timeout);
    let waited = poll::wait(&SELECT, fds, timeout, sigmask);
    *remaining = deadline.left().unwrap_or_default();
    if let Err(error) = waited {
        return Ending::Failed(error);
    }
    if fds.iter().any(|entry| entry.revents & abi::POLLNVAL != 0) {
        return Ending::Failed(Errno(abi::EBADF));
    }
    let mut total = 0;
    for (set, bits) in [(&mut read, READ), (&mut write, WRITE), (&mut except, EXCEPT)] {
        let Some(set) = set else { continue };
        for entry in fds.iter() {
            let (word, bit) = (entry.fd as usize / 64, 1u64 << (entry.fd as usize % 64));
            if let Some(word) = set.get_mut(word)
                && *word & bit != 0
            {
                if entry.revents & bits == 0 { *word &= !bit } else { total += 1 }
            }
        }
    }
    Ending::Handled(total)
}

fn is_ours(fd: i32) -> bool {
    match table::entry(fd) {
        table::Entry::Socket(connection) => ready::on_ring(connection),
        table::Entry::Epoll(set) => super::shared::is_accelerated(set),
        _ => false,
    }
}
