//! What a put and a take cost in one thread over shared memory, without the wait for another processor's cache:
//! `cargo run --release -p vmmc-stream --example ring_speed`.
use std::hint::black_box;
use std::time::Instant;
use vmmc_shm::Segment;
use vmmc_stream::{Receiver, RecvState, SendState, Sender, layout};

const CAPACITY: usize = 256 * 1024;

fn main() {
    let len = layout::slot_len(CAPACITY);
    let (at_sender, _fd) = Segment::create(len).expect("a memory file");
    let (at_receiver, _fd) = Segment::create(len).expect("a memory file");
    let windows =
        |segment: &Segment| (segment.export(0, len).expect("inside"), segment.import(0, len).expect("inside"));
    let ((sender_inbox, to_sender), (receiver_inbox, to_receiver)) = (windows(&at_sender), windows(&at_receiver));
    let (send, recv, back, forth) = (SendState::new(), RecvState::new(), SendState::new(), RecvState::new());
    [&send, &back].iter().for_each(|state| state.pair(CAPACITY as u64));
    [&recv, &forth].iter().for_each(|state| state.pair(CAPACITY as u64));
    let sender = Sender::new(&send, &forth, sender_inbox, to_receiver);
    let receiver = Receiver::new(&recv, receiver_inbox, to_sender);
    receiver.set_ready(true);
    assert!(sender.switch());
    sender.ringing(1);
    receiver.from_kernel(&[0]).expect("one doorbell");

    let (from, mut into) = (vec![7; CAPACITY], vec![0; CAPACITY]);
    for size in [1, 8, 16, 48, 64, 256, 1024, 16 * 1024, CAPACITY] {
        let nanoseconds = each(size, || {
            assert_eq!(sender.put(black_box(&from[..size])), Ok(size));
            assert_eq!(receiver.take(black_box(&mut into[..size])), Ok(size));
        });
        println!("{size:>7} B  put+take {nanoseconds:>9.1} ns  {:>7.2} GB/s", size as f64 / nanoseconds);
    }
    println!("         must_ring {:>8.1} ns", each(1, || assert!(!black_box(sender.must_ring()))));
    println!("             look {:>9.1} ns", each(1, || assert!(black_box(receiver.look()).is_ok())));
}

/// Nanoseconds of one call: the best of many runs, each so short that on a busy machine some are not interrupted.
fn each(size: usize, mut call: impl FnMut()) -> f64 {
    let calls = (500_000 / (size + 100)).max(2);
    let mut run = || {
        let begin = Instant::now();
        (0..calls).for_each(|_| call());
        begin.elapsed().as_nanos() as f64 / calls as f64
    };
    (0..500).map(|_| run()).fold(f64::INFINITY, f64::min)
}
