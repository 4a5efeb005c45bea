//! Sleeping until a word changes, within one process: there are no process families here that share more.
//!
//! By ntdll's `RtlWaitOnAddress` (Windows 8, Wine). Where it is missing (Windows 7) a sleeper looks every millisecond.
use super::kernel::Result;
use super::process;
use super::winsock::{self, Symbol};
use core::ffi::c_void;
// A word that the system looks at as well, so it is never loom's.
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Somebody woke it, or the word had already changed: look at the word again.
    Look,
    /// The time is up.
    TimedOut,
}

const STATUS_TIMEOUT: i32 = 0x102;

type WaitOnAddress = unsafe extern "system" fn(*const c_void, *const c_void, usize, *const i64) -> i32;
type WakeAddress = unsafe extern "system" fn(*const c_void);

static WAIT: Symbol = Symbol::new(winsock::Dll::Ntdll, c"RtlWaitOnAddress");
static WAKE_ONE: Symbol = Symbol::new(winsock::Dll::Ntdll, c"RtlWakeAddressSingle");
static WAKE_ALL: Symbol = Symbol::new(winsock::Dll::Ntdll, c"RtlWakeAddressAll");

/// Sleeps while `word` holds `expected`, at most `timeout` (`None`: without end). It may also return for no reason.
///
/// # Errors
/// None here.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> Result<Wake> {
    // SAFETY: ntdll's function of this name has this signature.
    let Some(sleep) = (unsafe { WAIT.get::<WaitOnAddress>() }) else {
        return Ok(look_now_and_then(word, expected, timeout));
    };
    // In units of 100 ns; negative: from now on.
    let limit = timeout.map(|time| -i64::try_from(time.as_nanos().div_ceil(100)).unwrap_or(i64::MAX));
    let limit = limit.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the word and the value that it is compared with live until the call returns, and so does the limit.
    let status = unsafe { sleep(word.as_ptr().cast_const().cast(), (&raw const expected).cast(), 4, limit) };
    Ok(if status == STATUS_TIMEOUT { Wake::TimedOut } else { Wake::Look })
}

fn look_now_and_then(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> Wake {
    let end = timeout.and_then(|timeout| super::clock::monotonic().checked_add(timeout));
    while word.load(Ordering::Acquire) == expected {
        if end.is_some_and(|end| super::clock::monotonic() >= end) {
            return Wake::TimedOut;
        }
        process::sleep_micros(1000);
    }
    Wake::Look
}

/// Wakes sleepers on `word`: one if `count` is 1, else all. How many is not known.
///
/// # Errors
/// None here.
pub fn wake(word: &AtomicU32, count: u32) -> Result<usize> {
    let symbol = if count == 1 { &WAKE_ONE } else { &WAKE_ALL };
    // SAFETY: ntdll's functions of these names have this signature, and use the address to find sleepers alone.
    unsafe {
        if let Some(wake) = symbol.get::<WakeAddress>() {
            wake(word.as_ptr().cast_const().cast());
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_word_is_not_slept_on_and_an_unchanged_one_times_out() {
        let word = AtomicU32::new(1);
        assert_eq!(wait(&word, 0, None), Ok(Wake::Look));
        assert_eq!(wait(&word, 1, Some(Duration::from_millis(1))), Ok(Wake::TimedOut));
        assert_eq!(look_now_and_then(&word, 0, None), Wake::Look);
        assert_eq!(look_now_and_then(&word, 1, Some(Duration::from_millis(1))), Wake::TimedOut);
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
