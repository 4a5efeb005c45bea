//! Time: the processor's counter for short waits, the monotonic clock for everything else.
use core::time::Duration;

/// Ticks of the processor's time-stamp counter. Never goes back on one host (invariant TSC); ~10 ns to read.
#[inline(always)]
#[must_use]
pub fn ticks() -> u64 {
    // SAFETY: RDTSC is in every x86-64 processor and touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Time since an arbitrary start, by the kernel's monotonic clock (vDSO, no system call). Async-signal-safe.
#[must_use]
pub fn monotonic() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the structure.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Ticks in a microsecond, measured over about `over` (call once, at start).
#[must_use]
pub fn measure_ticks_per_microsecond(over: Duration) -> u64 {
    let (start, from) = (monotonic(), ticks());
    loop {
        let passed = monotonic().saturating_sub(start);
        if passed >= over {
            let micros = u64::try_from(passed.as_nanos()).unwrap_or(1).max(1);
            return (ticks().saturating_sub(from).saturating_mul(1000) / micros).max(1);
        }
    }
}
