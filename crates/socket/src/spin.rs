//! Spinning, bounded and earned: a wait spins only as long as spinning has lately paid.
use crate::settings;
use vmmc_os::{clock, process};
use vmmc_sync::{AtomicU32, Ordering, spin_loop};

/// Shortest spin, also where none has paid: a fraction of what a sleep and a wake cost, and enough to meet a sender that
/// has just woken us and goes on sending.
const LEAST_MICROS: u32 = 5;
/// After so many waits that did not pay, one spins for the whole budget again.
const PROBE_EVERY: u32 = 16;
/// Looks between two glances at the clock; the first looks need no clock at all.
const LOOKS: u32 = 64;
/// Looks before the first yield: a peer on another processor answers within this.
const LOOKS_BEFORE_YIELD: u32 = 512;

/// Spins until `look` says yes (`true`) or the budget kept in `memory` is spent. `memory` learns from the outcome.
///
#[inline]
pub(crate) fn until(memory: &AtomicU32, mut look: impl FnMut() -> bool) -> bool {
    if look() {
        return true;
    }
    let budget = budget(memory);
    if budget == 0 {
        return false;
    }
    let paid = spin(settings::ticks(budget), &mut look);
    learn(memory, budget, paid);
    paid
}

/// Whether spinning has lately paid enough to be tried again now.
pub(crate) fn is_worth_it(memory: &AtomicU32) -> bool {
    settings::spin_is_fixed() || memory.load(Ordering::Relaxed) & 0xffff > LEAST_MICROS
}

/// As [`until`], for one slice of a wait that looks at other things in between.
pub(crate) fn at_most_learnt(memory: &AtomicU32, micros: u32, mut look: impl FnMut() -> bool) -> bool {
    if look() {
        return true;
    }
    let budget = budget(memory);
    if budget == 0 {
        return false;
    }
    let paid = spin(settings::ticks(budget.min(micros)), &mut look);
    learn(memory, budget, paid);
    paid
}

/// Spins at most `micros` microseconds, whatever was learnt.
pub(crate) fn at_most(micros: u32, mut look: impl FnMut() -> bool) -> bool {
    look() || spin(settings::ticks(micros), &mut look)
}

fn spin(ticks: u64, look: &mut impl FnMut() -> bool) -> bool {
    let single = settings::processors() == 1;
    let start = clock::ticks();
    let mut looks = 0u32;
    loop {
        for _ in 0..LOOKS {
            if look() {
                return true;
            }
            spin_loop();
        }
        looks = looks.saturating_add(LOOKS);
        if clock::ticks().wrapping_sub(start) >= ticks {
            return false;
        }
        if single || looks >= LOOKS_BEFORE_YIELD {
            process::yield_now();
        }
    }
}

/// Microseconds that the next wait may spin. The budget stands in the memory's low half, the waits since it was last
/// whole in the upper one.
fn budget(memory: &AtomicU32) -> u32 {
    let most = settings::spin_max_micros();
    if settings::spin_is_fixed() || most <= LEAST_MICROS {
        return most;
    }
    let word = memory.load(Ordering::Relaxed);
    let (micros, waits) = (word & 0xffff, word >> 16);
    // Never tried, or a probe: long enough to outlast a peer that sleeps because we do.
    if micros == 0 || waits >= PROBE_EVERY { most } else { micros.min(most) }
}

fn learn(memory: &AtomicU32, budget: u32, paid: bool) {
    let most = settings::spin_max_micros();
    let waits = memory.load(Ordering::Relaxed) >> 16;
    let word = match (paid, waits) {
        (true, _) => (budget * 2).clamp(LEAST_MICROS, most.clamp(LEAST_MICROS, 0xffff)),
        (false, PROBE_EVERY..) => LEAST_MICROS,
        (false, waits) => (waits + 1) << 16 | (budget / 2).clamp(LEAST_MICROS, 0xffff),
    };
    memory.store(word, Ordering::Relaxed);
}
