//! Sleeping until a word changes, across processes that map the same page.
use super::kernel::{Result, call, syscall6};
use crate::Errno;
// A futex word is the kernel's as well, so it is never loom's.
use core::sync::atomic::AtomicU32;
use core::time::Duration;

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Somebody woke it, a signal arrived, or the word had already changed: look at the word again.
    Look,
    /// The time is up.
    TimedOut,
}

/// Sleeps while `word` holds `expected`, at most `timeout` (`None`: without end). It may also return for no reason.
///
/// # Errors
/// The kernel's, for a page that it cannot reach.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> Result<Wake> {
    let limit = timeout.map(|d| libc::timespec {
        tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(d.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: `word` is a live aligned word; `limit` is null or lives until the call returns.
    match unsafe { call!(SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, limit) } {
        Ok(_) | Err(Errno(libc::EAGAIN | libc::EINTR)) => Ok(Wake::Look),
        Err(Errno(libc::ETIMEDOUT)) => Ok(Wake::TimedOut),
        Err(error) => Err(error),
    }
}

/// Wakes at most `count` sleepers on `word`, in whatever process they are: how many were woken.
///
/// # Errors
/// The kernel's, for a page that it cannot reach.
pub fn wake(word: &AtomicU32, count: u32) -> Result<usize> {
    // SAFETY: the kernel uses the address to find sleepers and does not touch the word.
    unsafe { call!(SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count.min(i32::MAX as u32)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::Ordering;

    #[test]
    fn a_changed_word_is_not_slept_on_and_an_unchanged_one_times_out() {
        let word = AtomicU32::new(1);
        assert_eq!(wait(&word, 0, None), Ok(Wake::Look));
        assert_eq!(wait(&word, 1, Some(Duration::from_millis(1))), Ok(Wake::TimedOut));
    }

    #[test]
    fn a_sleeper_is_woken() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while word.load(Ordering::Acquire) == 0 {
                    wait(&word, 0, None).unwrap();
                }
            });
            std::thread::sleep(Duration::from_millis(5));
            word.store(1, Ordering::Release);
            wake(&word, u32::MAX).unwrap();
        });
    }
}
