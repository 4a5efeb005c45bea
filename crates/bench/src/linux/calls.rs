//! The few calls that `std` lacks, through libc as any program makes them.

use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd};

use vmmc_os::Descriptor;

use crate::job::Cpu;

fn check(result: libc::c_int) -> Result<libc::c_int> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

/// The watchdog: the kernel ends this process after `seconds`.
pub(crate) fn end_after(seconds: u32) {
    // SAFETY: alarm takes no pointer; SIGALRM's default action ends the process, which is the intention.
    unsafe { libc::alarm(seconds) };
}

/// The kernel ends this process when its parent ends.
pub(crate) fn end_with_parent() {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and no pointer.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Keeps this process on one processor.
pub(crate) fn pin(cpu: usize) -> Result<()> {
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
pub(crate) fn cpu_time() -> Cpu {
    // SAFETY: rusage is a plain structure of integers, for which all zeroes is valid.
    let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: `usage` is valid for writes.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Cpu { user: seconds(usage.ru_utime), system: seconds(usage.ru_stime) }
}

/// Allows as many descriptors as the hard limit does.
pub(crate) fn allow_many_descriptors() -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is valid for reads.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }).map(drop)
}

/// A level-triggered interest in data to read.
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

impl Epoll {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: takes no pointer.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Reports `key` while `fd` has data.
    pub(crate) fn add(&self, fd: i32, key: u64) -> Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: key };
        // SAFETY: `event` is valid for reads.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) }).map(drop)
    }

    /// Waits without limit; fills `keys` with the keys that have data.
    pub(crate) fn wait(&self, keys: &mut Vec<u64>) -> Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
        // SAFETY: `events` is valid for writes of as many events as it says.
        let count =
            check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), events.len() as i32, -1) })?;
        keys.clear();
        keys.extend(events.iter().take(count as usize).map(|event| event.u64));
        Ok(())
    }
}

/// A worker that dies must not end this process when it is spoken to. Children start with the signal's default.
pub(crate) fn survive_broken_pipes() {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// The name by which another process of this user can open `fd`.
pub(crate) fn name_of(fd: i32) -> String {
    format!("/proc/{}/fd/{fd}", std::process::id())
}

/// What another process has [named](name_of).
pub(crate) fn open(name: &str) -> Result<Descriptor> {
    Ok(Descriptor::new(File::options().read(true).write(true).open(name)?.into_raw_fd()))
}
