//! Spinning, bounded and earned: a wait spins only as long as spinning has lately paid.
use crate::settings;
use vmmc_os::{clock, process};
use vmmc_sync::{AtomicU32, Ordering, spin_loop};

/// Shortest spin that is still tried; below it a wait sleeps at once and probes now and then.
const LEAST_MICROS: u32 = 8;
/// How many waits in a row may sleep at once before one probes again.
const PROBE_EVERY: u32 = 16;
/// Looks between two glances at the clock; the first looks need no clock at all.
const LOOKS: u32 = 64;
/// Looks before the first yield: a peer on another processor answers within this.
const LOOKS_BEFORE_YIELD: u32 = 512;

/// Spins until `look` says yes (`true`) or the budget kept in `memory` is spent. `memory` learns from the outcome.
/// The budget stands in its low half, the waits since the last probe in the upper one.
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
    settings::spin_is_fixed() || memory.load(Ordering::Relaxed) & 0xffff != 0
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

fn budget(memory: &AtomicU32) -> u32 {
    let most = settings::spin_max_micros();
    if settings::spin_is_fixed() || most == 0 {
        return most;
    }
    let word = memory.load(Ordering::Relaxed);
    let (micros, idle) = (word & 0xffff, word >> 16);
    match micros {
        // Never tried: begin with the whole budget.
        0 if idle == 0 => most,
        // A probe is long enough to outlast a peer that sleeps because we do.
        0 if idle >= PROBE_EVERY => most,
        0 => {
            memory.store((idle + 1) << 16, Ordering::Relaxed);
            0
        }
        micros => micros.min(most),
    }
}

fn learn(memory: &AtomicU32, budget: u32, paid: bool) {
    let most = settings::spin_max_micros();
    let word = if paid {
        (budget * 2).clamp(LEAST_MICROS, most.min(0xffff))
    } else if budget / 2 < LEAST_MICROS {
        1 << 16
    } else {
        budget / 2
    };
    memory.store(word, Ordering::Relaxed);
}
