//! pselect6(2), on the list that poll takes.
use super::kernel::{Result, call, syscall6, timespec};
use super::{PollFd, abi};

/// Words of the sets that need no allocation: 1024 descriptors.
const FEW: usize = 1024 / 64;

/// The events that stand for a place in the first, the second and the third set.
const SETS: [i16; 3] = [abi::POLLIN | abi::POLLRDNORM | abi::POLLRDBAND, abi::POLLOUT | abi::POLLWRNORM, abi::POLLPRI];

/// pselect6(2) on a list: `events` say in which sets an entry stands, `revents` in which it stood at the end. How many do in any.
/// A hang-up or an error alone is nothing to a descriptor of the third set. `timeout` `None` waits for ever.
///
/// # Errors
/// As pselect6; `EBADF` if a descriptor is none.
pub fn select(fds: &mut [PollFd], timeout: Option<core::time::Duration>, sigmask: Option<u64>) -> Result<usize> {
    let nfds = fds.iter().map(|entry| entry.fd.saturating_add(1)).max().unwrap_or(0);
    let words = (nfds as usize).div_ceil(64).max(1);
    let (mut few, mut many) = ([0u64; 3 * FEW], Vec::new());
    let all = if words <= FEW {
        few.as_mut_slice()
    } else {
        many.resize(3 * words, 0);
        many.as_mut_slice()
    };
    let mut sets = all.chunks_mut(words);
    let mut sets = SETS.map(|events| (events, sets.next().unwrap_or_default()));
    for entry in fds.iter() {
        for (events, set) in &mut sets {
            if let Some(word) = set.get_mut(entry.fd as usize / 64).filter(|_| entry.events & *events != 0) {
                *word |= 1 << (entry.fd % 64);
            }
        }
    }
    let mut limit = timeout.map(timespec);
    let limit = limit.as_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
    let mask = sigmask.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    let mask_and_size: [usize; 2] = [mask as usize, 8];
    let [read, write, except] = sets.each_mut().map(|(_, set)| set.as_mut_ptr());
    // SAFETY: the sets have room for `nfds` bits each, and they, the time and the mask live until the call returns.
    unsafe { call!(SYS_pselect6, nfds, read, write, except, limit, &raw const mask_and_size) }?;
    let mut found = 0;
    for entry in fds.iter_mut() {
        let is_in = |set: &[u64]| set.get(entry.fd as usize / 64).is_some_and(|word| word >> (entry.fd % 64) & 1 != 0);
        let events = sets.iter().filter(|(_, set)| is_in(set)).fold(0, |all, (events, _)| all | events);
        entry.revents = entry.events & events;
        found += usize::from(entry.revents != 0);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use std::io::{Write as _, pipe};
    use std::os::fd::AsRawFd as _;

    #[test]
    fn says_in_which_sets_each_stands_also_beyond_1024() {
        let (read, mut write) = pipe().unwrap();
        write.write_all(b"x").unwrap();
        // SAFETY: no memory is involved.
        let copy = |least: i32| unsafe { libc::fcntl(read.as_raw_fd(), libc::F_DUPFD, least) };
        let (high, higher) = (copy(1000), copy(1500));
        assert!(high >= 1000);
        let entry = |fd, events| PollFd { fd, events, revents: -1 };
        for last in [high, higher].into_iter().filter(|fd| *fd >= 0) {
            let mut fds =
                [entry(write.as_raw_fd(), abi::POLLIN | abi::POLLOUT | abi::POLLPRI), entry(last, abi::POLLIN)];
            assert_eq!(select(&mut fds, Some(Duration::ZERO), None), Ok(2));
            assert_eq!(fds.map(|entry| entry.revents), [abi::POLLOUT, abi::POLLIN]);
        }
        drop(read);
        for fd in [high, higher] {
            // SAFETY: they are this test's own.
            unsafe { libc::close(fd) };
        }
        // Nobody reads any more: an error, which is nothing to the third set.
        let mut fds = [entry(write.as_raw_fd(), abi::POLLPRI)];
        assert_eq!(select(&mut fds, Some(Duration::ZERO), None), Ok(0));
        fds[0].fd = high;
        assert!(select(&mut fds, Some(Duration::ZERO), None).is_err());
    }
}
