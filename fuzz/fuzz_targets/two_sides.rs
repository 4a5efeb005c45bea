//! Two honest ends: the input is a list of operations, three bytes each, after a byte for the ring and one for the pipe.
//! `tests/two_sides.rs` of the stream crate runs the same world with random lists on every test run.
#![no_main]
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/stream/tests/common/world.rs"]
mod world;

fuzz_target!(|input: &[u8]| {
    let [ring, pipe, ops @ ..] = input else { return };
    let mut world = world::World::new(16 << (ring % 8), usize::from(*pipe) + 1, ring & 8 != 0);
    for op in ops.chunks_exact(3) {
        world.step(op[0], u16::from_le_bytes([op[1], op[2]]));
    }
    world.finish();
});
