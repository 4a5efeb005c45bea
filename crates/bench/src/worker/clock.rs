//! Time stamps that cost a few nanoseconds, in units of the processor's own.

use std::time::{Duration, Instant};

/// The cycle counter.
#[cfg(target_arch = "x86_64")]
pub(super) fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has this instruction, and it touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Nanoseconds, where no cheaper counter is known.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn ticks() -> u64 {
    use std::sync::LazyLock;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

/// The two clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    instant: Instant,
    ticks: u64,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), ticks: ticks() }
    }

    pub(super) fn elapsed(self) -> Duration {
        self.instant.elapsed()
    }

    /// Nanoseconds per tick, as counted since this moment.
    pub(super) fn tick_ns(self) -> f64 {
        let now = Self::now();
        now.instant.duration_since(self.instant).as_nanos() as f64 / now.ticks.saturating_sub(self.ticks).max(1) as f64
    }
}
