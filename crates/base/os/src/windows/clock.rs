//! Time: the processor's counter for short waits, the performance counter for everything else.
use core::time::Duration;
use vmmc_sync::{AtomicU64, Ordering};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

/// Ticks of the processor's time-stamp counter. Never goes back on one host (invariant TSC); ~10 ns to read.
#[inline(always)]
#[must_use]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86")]
    use core::arch::x86::_rdtsc;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::_rdtsc;
    // SAFETY: RDTSC is in every processor that runs these systems, and touches no memory.
    unsafe { _rdtsc() }
}

/// Counts of the performance counter in a second, once it has been asked.
static FREQUENCY: AtomicU64 = AtomicU64::new(0);

fn frequency() -> u64 {
    match FREQUENCY.load(Ordering::Relaxed) {
        0 => {
            let mut found = 0i64;
            // SAFETY: the call fills the number.
            unsafe { QueryPerformanceFrequency(&raw mut found) };
            let found = found.unsigned_abs().max(1);
            FREQUENCY.store(found, Ordering::Relaxed);
            found
        }
        known => known,
    }
}

/// Time since an arbitrary start, by the performance counter, which never goes back.
#[must_use]
pub fn monotonic() -> Duration {
    let mut count = 0i64;
    // SAFETY: the call fills the number.
    unsafe { QueryPerformanceCounter(&raw mut count) };
    let (count, each) = (count.unsigned_abs(), frequency());
    let nanos = u128::from(count % each) * 1_000_000_000 / u128::from(each);
    Duration::new(count / each, nanos as u32)
}

/// Ticks in a microsecond, measured over about `over` (call once, at start).
#[must_use]
pub fn measure_ticks_per_microsecond(over: Duration) -> u64 {
    let (start, from) = (monotonic(), ticks());
    loop {
        let passed = monotonic().saturating_sub(start);
        if passed >= over {
            let nanos = u64::try_from(passed.as_nanos()).unwrap_or(1).max(1);
            return (ticks().saturating_sub(from).saturating_mul(1000) / nanos).max(1);
        }
    }
}
