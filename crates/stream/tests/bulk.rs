//! How wide a window a stream has whose receiver keeps up, so that nothing ever fails to fit.
use vmmc_sim::SimBuffer;
use vmmc_stream::{Receiver, RecvState, SendState, Sender, layout};

const CAPACITY: usize = 1 << 16;

/// The window after so many puts of so many bytes, each of them received at once.
fn window_after(puts: usize, size: usize) -> usize {
    let len = layout::slot_len(CAPACITY);
    let (at_sender, at_receiver) = (SimBuffer::new(len), SimBuffer::new(len));
    let (send, recv, opposite) = (SendState::new(), RecvState::new(), RecvState::new());
    send.pair(CAPACITY as u64);
    recv.pair(CAPACITY as u64);
    let sender = Sender::new(&send, &opposite, at_sender.export(0, len).unwrap(), at_receiver.import(0, len).unwrap());
    let receiver = Receiver::new(&recv, at_receiver.export(0, len).unwrap(), at_sender.import(0, len).unwrap());
    receiver.set_ready(true);
    assert!(sender.switch() && receiver.look().is_ok());
    for round in 0..puts {
        let (bytes, mut received) = (vec![round as u8; size], vec![0; size]);
        assert_eq!(sender.put(&bytes), Ok(size));
        assert_eq!(receiver.take(&mut received), Ok(size));
        assert_eq!(received, bytes, "put {round}");
        receiver.arm();
        receiver.disarm();
    }
    sender.room().unwrap()
}

#[test]
fn bulk_data_gets_the_whole_ring() {
    assert_eq!(window_after(10_000, 256), CAPACITY);
}

#[test]
fn a_stream_with_little_to_say_keeps_its_few_pages() {
    let first = layout::first_window(CAPACITY as u64) as usize;
    assert_eq!(window_after(10, 256), first);
    assert_eq!(window_after(5000, 64), first);
}
