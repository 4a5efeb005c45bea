//! The few calls that `std` lacks, through libc as any program makes them.

use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU64;

use crate::job::Cpu;

fn check(result: libc::c_int) -> Result<libc::c_int> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

/// The watchdog: the kernel ends this process after `seconds`.
pub(super) fn end_after(seconds: u32) {
    // SAFETY: alarm takes no pointer; SIGALRM's default action ends the process, which is the intention.
    unsafe { libc::alarm(seconds) };
}

/// The kernel ends this process when its parent ends.
pub(super) fn end_with_parent() {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and no pointer.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Keeps this process on one processor.
pub(super) fn pin(cpu: usize) -> Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: cpu_set_t is a plain bit mask, for which all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { core::mem::zeroed() };
    // SAFETY: `cpu` was checked to lie inside the set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: `set` is valid for reads of the size that is given.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) }).map(drop)
}

/// Processor time of this process so far.
pub(super) fn cpu_time() -> Cpu {
    // SAFETY: rusage is a plain structure of integers, for which all zeroes is valid.
    let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: `usage` is valid for writes.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Cpu { user: seconds(usage.ru_utime), system: seconds(usage.ru_stime) }
}

/// Allows as many descriptors as the hard limit does.
pub(super) fn allow_many_descriptors() -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is valid for reads.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }).map(drop)
}

/// A level-triggered interest in data to read.
#[derive(Debug)]
pub(super) struct Epoll(OwnedFd);

impl Epoll {
    pub(super) fn new() -> Result<Self> {
        // SAFETY: takes no pointer.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Reports `key` while `fd` has data.
    pub(super) fn add(&self, fd: RawFd, key: u64) -> Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: key };
        // SAFETY: `event` is valid for reads.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) }).map(drop)
    }

    /// Waits without limit; fills `keys` with the keys that have data.
    pub(super) fn wait(&self, keys: &mut Vec<u64>) -> Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
        // SAFETY: `events` is valid for writes of as many events as it says.
        let count =
            check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), events.len() as i32, -1) })?;
        keys.clear();
        keys.extend(events.iter().take(count as usize).map(|event| event.u64));
        Ok(())
    }
}

/// Words that two processes share, each on a cache line (and a neighbour line) of its own.
#[derive(Debug)]
pub(super) struct SharedWords {
    base: *mut AtomicU64,
    file: File,
}

const PAGE: usize = 4096;
const WORDS_APART: usize = 256 / size_of::<u64>();

impl SharedWords {
    /// A new page of words, all 0.
    pub(super) fn create() -> Result<Self> {
        // SAFETY: the name is a C string.
        let fd = check(unsafe { libc::memfd_create(c"vmmc-bench".as_ptr(), libc::MFD_CLOEXEC) })?;
        // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len(PAGE as u64)?;
        Self::map(file)
    }

    /// The page that another process has created and [named](Self::path).
    pub(super) fn open(path: &str) -> Result<Self> {
        Self::map(File::options().read(true).write(true).open(path)?)
    }

    /// The path by which another process of this user can open the page.
    pub(super) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Word `index`, below 16.
    pub(super) fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < PAGE / size_of::<u64>() / WORDS_APART);
        // SAFETY: the index lies inside the mapped page, which lives as long as self; any bits are a valid AtomicU64, and
        // every process reaches these words by atomic operations only.
        unsafe { &*self.base.add(index * WORDS_APART) }
    }

    fn map(file: File) -> Result<Self> {
        let (protection, fd) = (libc::PROT_READ | libc::PROT_WRITE, file.as_raw_fd());
        // SAFETY: the kernel chooses a free address, so that no existing memory is touched.
        let base = unsafe { libc::mmap(core::ptr::null_mut(), PAGE, protection, libc::MAP_SHARED, fd, 0) };
        if base == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(Self { base: base.cast(), file }) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: `base` was mapped with this length, and every reference to it has been borrowed from self.
        unsafe { libc::munmap(self.base.cast(), PAGE) };
    }
}
