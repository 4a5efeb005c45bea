//! A peer that writes any word at any time: no call panics (overflow included: tests are built with checks), leaves the
//! memory it was given, or fails to return.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vmmc_contract::Import;
use vmmc_stream::layout;

#[path = "common/victim.rs"]
mod victim;
use victim::Victim;

/// xorshift64: the runs are the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// A control word's offset.
    fn control(&mut self) -> usize {
        (self.next() % (layout::WORDS_END as u64 / 8)) as usize * 8
    }
}

#[test]
fn tempting_words_between_calls_do_no_harm() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut lies = 0;
    for round in 0..3000 {
        let mut victim = Victim::new(1 << (3 + round % 8));
        let peer = victim.peer();
        victim.call(7, 1);
        for _ in 0..200 {
            let word = random.next();
            if word.is_multiple_of(3) {
                let value = victim.tempting((word >> 8) as u8, (word >> 16) as u8);
                peer.store(random.control(), value).unwrap();
            }
            victim.call((word >> 24) as u8, (word >> 32) as u16);
        }
        lies += victim.lies;
    }
    assert!(lies > 10_000, "only {lies} lies were found out");
}

#[test]
fn any_words_between_calls_do_no_harm() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for round in 0..1000 {
        let mut victim = Victim::new(1 << (3 + round % 8));
        let peer = victim.peer();
        for _ in 0..200 {
            let word = random.next();
            if word.is_multiple_of(2) {
                peer.store(random.control(), random.next() >> (word >> 58)).unwrap();
            }
            victim.call((word >> 24) as u8, (word >> 32) as u16);
        }
    }
}

#[test]
fn words_that_change_during_a_call_do_no_harm() {
    let mut victim = Victim::new(64);
    let mut mirror = Victim::new(64);
    let (peer, stop) = (victim.peer(), AtomicBool::new(false));
    victim.call(7, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(0xda94_2042_e4dd_58b5);
            while !stop.load(Ordering::Relaxed) {
                // The mirror's words stand near the victim's: it makes the same calls without lies for a while.
                let word = random.next();
                mirror.call((word >> 24) as u8, (word >> 32) as u16);
                let value = if word.is_multiple_of(2) {
                    mirror.tempting((word >> 8) as u8, (word >> 16) as u8)
                } else {
                    word % 64
                };
                peer.store(random.control(), value).unwrap();
                peer.write(layout::RING, &word.to_le_bytes()).unwrap();
            }
        });
        let (mut random, begin) = (Random(0x1234_5678_9abc_def1), Instant::now());
        while begin.elapsed() < Duration::from_millis(1500) {
            for _ in 0..100 {
                let word = random.next();
                victim.call((word >> 24) as u8, (word >> 32) as u16);
            }
            if random.next() % 4 == 0 {
                victim.forget();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(victim.lies > 1000, "only {} lies were found out", victim.lies);
}
