//! Spinning, bounded and earned: a wait spins only as long as spinning has lately paid.
use crate::settings;
use vmmc_os::{clock, process, signal};
use vmmc_sync::{AtomicU32, Ordering, spin_loop};

/// Shortest spin, also where none has paid: a fraction of what a sleep and a wake cost, and enough to meet a sender that
/// has just woken us and goes on sending.
const LEAST_MICROS: u32 = 5;
/// After so many waits that did not pay, one spins for the whole budget again.
const PROBE_EVERY: u32 = 16;
/// So many connections at most lengthen a spin that takes their doorbells' place.
const ARMED_COUNTED: usize = 4;
/// Looks between two glances at the clock; the first looks need no clock at all.
const LOOKS: u32 = 64;
/// Looks before the first yield: a peer on another processor answers within this.
const LOOKS_BEFORE_YIELD: u32 = 512;

/// A signal handler has run while a wait spun: what the kernel says to that is the caller's to say.
pub(crate) struct Interrupted {
    /// The handler wants calls to be restarted.
    pub(crate) restarts: bool,
}

/// Spins until `look` says yes (`true`) or the budget kept in `memory` is spent. `memory` learns from the outcome.
#[inline]
pub(crate) fn until(memory: &AtomicU32, mut look: impl FnMut() -> bool) -> Result<bool, Interrupted> {
    if look() {
        return Ok(true);
    }
    let most = settings::spin_max_micros();
    let budget = budget(memory, most);
    if budget == 0 {
        return Ok(false);
    }
    let paid = spin_heeding(settings::ticks(budget), None, &mut look)?;
    learn(memory, budget, most, paid);
    Ok(paid)
}

/// What one wait on many things may spin, in slices between which it looks at other things.
#[derive(Debug)]
pub(crate) struct Budget<'a> {
    memory: &'a AtomicU32,
    most: u32,
    granted: u32,
    left: u32,
}

impl<'a> Budget<'a> {
    /// A sleep costs a doorbell for each of the `armed` connections that it would arm, so the more there are the longer a
    /// spin may take their place.
    pub(crate) fn grant(memory: &'a AtomicU32, armed: usize) -> Self {
        let most = settings::spin_max_micros().saturating_mul(armed.clamp(1, ARMED_COUNTED) as u32);
        let granted = if settings::spin_is_fixed() { settings::spin_max_micros() } else { budget(memory, most) };
        Self { memory, most, granted, left: granted }
    }

    /// Spins for one slice, if anything is left. `true`: `look` said yes. `sigmask` is the wait's own.
    pub(crate) fn slice(
        &mut self,
        micros: u32,
        sigmask: Option<u64>,
        mut look: impl FnMut() -> bool,
    ) -> Result<bool, Interrupted> {
        let slice = self.left.min(micros);
        self.left -= slice;
        let paid = look() || slice > 0 && spin_heeding(settings::ticks(slice), sigmask, &mut look)?;
        if paid && slice > 0 {
            self.learn(true);
        }
        Ok(paid)
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// The wait goes to sleep all the same.
    pub(crate) fn failed(&mut self) {
        self.learn(false);
    }

    fn learn(&mut self, paid: bool) {
        if self.granted > 0 {
            learn(self.memory, self.granted, self.most, paid);
        }
        (self.granted, self.left) = (0, 0);
    }
}

/// Spins at most `micros` microseconds, whatever was learnt.
pub(crate) fn at_most(micros: u32, mut look: impl FnMut() -> bool) -> bool {
    look() || spin(settings::ticks(micros), &mut look)
}

/// As [`spin`], and no signal is lost: the sleep that follows would not be interrupted by one that came before. The first looks, in
/// which most spins end that pay, take less time than a call does to begin, and do without.
#[inline]
fn spin_heeding(ticks: u64, sigmask: Option<u64>, look: &mut impl FnMut() -> bool) -> Result<bool, Interrupted> {
    for _ in 0..LOOKS {
        if look() {
            return Ok(true);
        }
        spin_loop();
    }
    heeding(sigmask, || spin(ticks, look))
}

/// Signals are held back while `wait` lasts: one that comes meanwhile has interrupted it if it says no.
pub(crate) fn heeding(sigmask: Option<u64>, wait: impl FnOnce() -> bool) -> Result<bool, Interrupted> {
    let held = signal::hold();
    match wait() {
        true => Ok(true),
        false => held.let_in(sigmask).map_or(Ok(false), |restarts| Err(Interrupted { restarts })),
    }
}

fn spin(ticks: u64, look: &mut impl FnMut() -> bool) -> bool {
    let single = settings::processors() == 1;
    let (mut start, mut looks) = (None, 0u32);
    loop {
        for _ in 0..LOOKS {
            if look() {
                return true;
            }
            spin_loop();
        }
        looks = looks.saturating_add(LOOKS);
        let now = clock::ticks();
        if now.wrapping_sub(*start.get_or_insert(now)) >= ticks {
            return false;
        }
        if single || looks >= LOOKS_BEFORE_YIELD {
            process::yield_now();
        }
    }
}

/// Microseconds that the next wait may spin. The budget stands in the memory's low half, the waits since it was last
/// whole in the upper one.
fn budget(memory: &AtomicU32, most: u32) -> u32 {
    if settings::spin_is_fixed() || most <= LEAST_MICROS {
        return most;
    }
    let word = memory.load(Ordering::Relaxed);
    let (micros, waits) = (word & 0xffff, word >> 16);
    // Never tried, or a probe: long enough to outlast a peer that sleeps because we do.
    if micros == 0 || waits >= PROBE_EVERY { most } else { micros.min(most) }
}

#[inline(always)]
fn learn(memory: &AtomicU32, budget: u32, most: u32, paid: bool) {
    let waits = memory.load(Ordering::Relaxed) >> 16;
    let word = match (paid, waits) {
        (true, _) => budget.saturating_mul(2).clamp(LEAST_MICROS, most.clamp(LEAST_MICROS, 0xffff)),
        (false, PROBE_EVERY..) => LEAST_MICROS,
        (false, waits) => (waits + 1) << 16 | (budget / 2).clamp(LEAST_MICROS, 0xffff),
    };
    memory.store(word, Ordering::Relaxed);
}
