//! Both ends of a connection against a plain queue of bytes, with every move forced at random.
//!
//! Bytes arrive exactly and in order, no doorbell is ever data, and no end sleeps while bytes wait for it.
use proptest::prelude::*;

#[path = "common/world.rs"]
mod world;
use world::{Seen, World};

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_operations_delivers_every_byte_once_and_in_order(
        ops in prop::collection::vec((0u8..32, any::<u16>()), 1..400),
        capacity in 4u32..=12,
        pipe in 1usize..300,
        delayed: bool,
    ) {
        let mut world = World::new(1 << capacity, pipe, delayed);
        for (op, arg) in ops {
            world.step(op, arg);
        }
        world.finish();
    }
}

/// A run that never left, gave back or refused a doorbell would prove nothing about those.
#[test]
fn random_runs_meet_every_turn_of_the_protocol() {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut all = Seen::default();
    for round in 0..200 {
        let mut world = World::new(1 << (4 + round % 6), 1 + round * 7 % 200, round % 2 == 0);
        for _ in 0..500 {
            let word = next();
            world.step((word % 32) as u8, (word >> 32) as u16);
        }
        let seen = world.finish();
        all.switches += seen.switches;
        all.leaves += seen.leaves;
        all.held += seen.held;
        all.given_back += seen.given_back;
        all.retracted_overflows += seen.retracted_overflows;
        all.busy += seen.busy;
        all.replaced += seen.replaced;
        all.sent_again += seen.sent_again;
        all.followed += seen.followed;
        all.bells += seen.bells;
        all.refused_bells += seen.refused_bells;
        all.ring_full += seen.ring_full;
        all.stashed += seen.stashed;
        all.sleeps += seen.sleeps;
    }
    let counts = [
        all.switches,
        all.leaves,
        all.held,
        all.given_back,
        all.retracted_overflows,
        all.busy,
        all.replaced,
        all.sent_again,
        all.followed,
        all.bells,
        all.refused_bells,
        all.ring_full,
        all.stashed,
        all.sleeps,
    ];
    assert!(counts.iter().all(|count| *count > 20), "{all:?}");
}
