//! The process: who it is, what it may do, its helpers.
use super::kernel::{Result, call, syscall6};

/// getpid(2), asked of the kernel each time (a forked or vforked child must not get a remembered answer).
#[must_use]
pub fn id() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call!(SYS_getpid) }.map_or(0, |pid| pid as u32)
}
/// gettid(2).
#[must_use]
pub fn thread_id() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call!(SYS_gettid) }.map_or(0, |tid| tid as u32)
}
/// A number that no other thread of this process has, without a system call: where the thread's own data begin, which are
/// longer than a cache line. Not 0, a multiple of 64, below 2^47.
#[inline(always)]
#[must_use]
pub fn thread_mark() -> u64 {
    let mark: u64;
    // SAFETY: on x86-64 Linux the first word at FS is its own address (the ABI's thread pointer); nothing is written.
    unsafe { core::arch::asm!("mov {}, fs:0", out(reg) mark, options(nostack, preserves_flags, readonly)) };
    mark & !63
}
/// Whether a process of this number runs (it may be somebody else's). One that has ended does not, although its number stays
/// until its parent has waited for it, which may be never.
#[must_use]
pub fn exists(pid: u32) -> bool {
    // SAFETY: no memory is involved.
    match unsafe { call!(SYS_pidfd_open, pid, 0) } {
        Ok(process) => {
            let ended = super::kernel::events_now(process as i32, libc::POLLIN) != 0;
            let _ = super::kernel::close(process as i32);
            !ended
        }
        // No descriptor to be had: a signal 0 finds those that have ended as well.
        // SAFETY: signal 0 is no signal.
        Err(_) => !matches!(unsafe { call!(SYS_kill, pid, 0) }, Err(crate::Errno(libc::ESRCH))),
    }
}
/// sched_yield(2).
pub fn yield_now() {
    // SAFETY: no memory is involved.
    let _ = unsafe { call!(SYS_sched_yield) };
}
/// Sleeps `micros` microseconds or until a signal.
pub fn sleep_micros(micros: u32) {
    let time = libc::timespec { tv_sec: i64::from(micros / 1_000_000), tv_nsec: i64::from(micros % 1_000_000) * 1000 };
    // SAFETY: the kernel reads the time.
    let _ = unsafe { call!(SYS_nanosleep, &raw const time, 0) };
}
/// Sends this thread a signal, synchronously if it is not blocked.
pub fn raise(signal: i32) {
    // SAFETY: no memory is involved.
    let _ = unsafe { call!(SYS_tgkill, id(), thread_id(), signal) };
}
/// About what it costs to sleep in the kernel on a socket and be woken by the peer, in microseconds.
pub const SLEEP_AND_WAKE_MICROS: u32 = 50;
/// Processors that this thread may run on.
#[must_use]
pub fn processors() -> usize {
    let mut set = [0u64; 16];
    // SAFETY: the kernel writes at most the array's size.
    let written = unsafe { call!(SYS_sched_getaffinity, 0, size_of_val(&set), set.as_mut_ptr()) };
    if written.is_err() { 1 } else { set.iter().map(|word| word.count_ones() as usize).sum::<usize>().max(1) }
}
/// The soft and hard limit of open descriptors.
#[must_use]
pub fn descriptor_limit() -> (u64, u64) {
    limit_of(libc::RLIMIT_NOFILE)
}

/// The longest file that this process may make, in bytes. Memory files count.
#[must_use]
pub fn file_size_limit() -> u64 {
    limit_of(libc::RLIMIT_FSIZE).0
}

/// The most bytes of address space that this process may have.
#[must_use]
pub fn address_space_limit() -> u64 {
    limit_of(libc::RLIMIT_AS).0
}

fn limit_of(resource: libc::__rlimit_resource_t) -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills the structure.
    let _ = unsafe { call!(SYS_prlimit64, 0, resource, 0, &raw mut limit) };
    (limit.rlim_cur, limit.rlim_max)
}

/// Allows as many open descriptors as the hard limit does.
pub fn raise_descriptor_limit() {
    let (_, hard) = descriptor_limit();
    let limit = libc::rlimit { rlim_cur: hard, rlim_max: hard };
    // SAFETY: the kernel reads the structure.
    let _ = unsafe { call!(SYS_prlimit64, 0, libc::RLIMIT_NOFILE, &raw const limit, 0) };
}

/// Starts a thread of this process that takes no signals and runs `body`. It ends with the process or when `body` returns.
/// The calling thread's errno stays as it is.
///
/// # Errors
/// `EAGAIN` when the system has no thread to give.
pub fn start_thread(body: extern "C" fn(*mut core::ffi::c_void) -> *mut core::ffi::c_void) -> Result<()> {
    // SAFETY: zeroed sets and attributes are filled before use; the mask is restored on every path. A thread's errno stays where
    // it is as long as the thread lives.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let mut all: libc::sigset_t = core::mem::zeroed();
        let mut old: libc::sigset_t = core::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
        let mut attributes: libc::pthread_attr_t = core::mem::zeroed();
        libc::pthread_attr_init(&raw mut attributes);
        libc::pthread_attr_setdetachstate(&raw mut attributes, libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_attr_setstacksize(&raw mut attributes, 256 * 1024);
        let mut thread: libc::pthread_t = core::mem::zeroed();
        let mut failed = libc::pthread_create(&raw mut thread, &raw const attributes, body, core::ptr::null_mut());
        if failed == libc::EINVAL {
            // The program's thread-local variables lie on every thread's stack, and ask for a larger one.
            let largest = 64 * 1024 * 1024;
            libc::pthread_attr_setstacksize(&raw mut attributes, largest);
            failed = libc::pthread_create(&raw mut thread, &raw const attributes, body, core::ptr::null_mut());
        }
        libc::pthread_attr_destroy(&raw mut attributes);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, core::ptr::null_mut());
        *errno = before;
        if failed == 0 { Ok(()) } else { Err(crate::Errno(failed)) }
    }
}

/// geteuid(2).
#[must_use]
pub fn user() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call!(SYS_geteuid) }.map_or(0, |uid| uid as u32)
}

/// Whether nobody but this user and root can write the file at `path`.
#[must_use]
pub fn may_trust(path: &std::path::Path) -> bool {
    let found = rustix::fs::stat(path);
    found.is_ok_and(|found| (found.st_uid == 0 || found.st_uid == user()) && found.st_mode & 0o022 == 0)
}

/// Whether this number may stand for users who have none in this user namespace (the kernel shows them all as one,
/// `nobody` as a rule); `None` where `/proc` cannot say. Never in the namespace that has all numbers.
#[must_use]
pub fn is_nobodys_number(user: u32) -> Option<bool> {
    let nobody = numbers_in(c"/proc/sys/kernel/overflowuid").map_or(65534, |[number, ..]| number);
    if u64::from(user) != nobody {
        return Some(false);
    }
    numbers_in(c"/proc/self/uid_map").map(|map| map != [0, 0, u64::from(u32::MAX)])
}

/// The first three numbers in a small file; 0 for those that are not there.
fn numbers_in(path: &core::ffi::CStr) -> Option<[u64; 3]> {
    use rustix::fs::{Mode, OFlags};
    let file = super::descriptor::Descriptor::from(
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?,
    );
    let mut text = [0; 64];
    let len = super::kernel::read(file.number(), &mut text).ok()?;
    let text = core::str::from_utf8(text.get(..len)?).ok()?;
    let mut numbers = [0; 3];
    for (number, word) in numbers.iter_mut().zip(text.split_ascii_whitespace()) {
        *number = word.parse().ok()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_nobody_has_waited_for_does_not_exist_any_more() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        assert!(exists(child.id()) && exists(id()) && !exists(1 << 22));
        child.kill().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
            yield_now();
        }
        assert!(!exists(child.id()), "it is a zombie");
        child.wait().unwrap();
    }
}
