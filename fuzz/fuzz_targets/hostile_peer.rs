//! One honest end and a peer that writes any word between its calls: no panic, no hang. The input is a list of actions of
//! eleven bytes. `tests/hostile.rs` of the stream crate does the same at random on every test run.
#![no_main]
use libfuzzer_sys::fuzz_target;
use vmmc_contract::Import;

#[path = "../../crates/stream/tests/common/victim.rs"]
mod victim;

fuzz_target!(|input: &[u8]| {
    let mut victim = victim::Victim::new(64);
    let peer = victim.peer();
    victim.call(7, 1);
    for action in input.chunks_exact(11) {
        let [kind, at, near, value @ ..] = action else { return };
        let word = value.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let at = usize::from(*at) % (vmmc_stream::layout::WORDS_END / 8) * 8;
        match kind % 4 {
            0 if *near == 255 => victim.forget(),
            0 | 3 => victim.call(*near, word as u16),
            1 => drop(peer.store(at, victim.tempting(*near, word as u8))),
            _ => drop(peer.store(at, word)),
        }
    }
});
