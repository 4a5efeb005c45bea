//! What no honest peer does is told, by name; and what an honest one may do is not taken for it.
use vmmc_contract::Import;
use vmmc_sim::{SimBuffer, SimExport, SimImport};
use vmmc_stream::{Back, Lie, Next, Receiver, RecvState, Road, SendState, Sender, layout};

const CAPACITY: usize = 64;

/// Two ends of one stream: its sender's and its receiver's memory.
struct Stream {
    send: SendState,
    recv: RecvState,
    opposite: RecvState,
    at_sender: SimBuffer,
    at_receiver: SimBuffer,
}

impl Stream {
    fn new() -> Self {
        let buffer = || SimBuffer::new(layout::slot_len(CAPACITY));
        let stream = Self {
            send: SendState::new(),
            recv: RecvState::new(),
            opposite: RecvState::new(),
            at_sender: buffer(),
            at_receiver: buffer(),
        };
        stream.send.pair(CAPACITY as u64);
        stream.recv.pair(CAPACITY as u64);
        stream
    }
    /// On the VMMC road, with `data` in the ring and one doorbell under way.
    fn switched(data: &[u8]) -> Self {
        let stream = Self::new();
        stream.receiver().set_ready(true);
        assert!(stream.sender().may_switch() && stream.sender().switch());
        assert_eq!(stream.sender().put(data), Ok(data.len()));
        assert!(stream.sender().must_ring());
        stream.sender().ringing(1);
        stream
    }
    fn windows(&self, mine: &SimBuffer, theirs: &SimBuffer) -> (SimExport, SimImport) {
        let len = layout::slot_len(CAPACITY);
        (mine.export(0, len).unwrap(), theirs.import(0, len).unwrap())
    }
    fn sender(&self) -> Sender<'_, SimExport, SimImport> {
        let (inbox, peer) = self.windows(&self.at_sender, &self.at_receiver);
        Sender::new(&self.send, &self.opposite, inbox, peer)
    }
    fn receiver(&self) -> Receiver<'_, SimExport, SimImport> {
        let (inbox, peer) = self.windows(&self.at_receiver, &self.at_sender);
        Receiver::new(&self.recv, inbox, peer)
    }
    fn write_at_receiver(&self, at: usize, value: u64) {
        self.windows(&self.at_sender, &self.at_receiver).1.store(at, value).unwrap();
    }
    fn write_at_sender(&self, at: usize, value: u64) {
        self.windows(&self.at_receiver, &self.at_sender).1.store(at, value).unwrap();
    }
}

#[test]
fn more_data_than_the_ring_holds_is_a_lie() {
    let stream = Stream::switched(b"abc");
    assert_eq!(stream.receiver().look(), Ok(Next::Data(3)));
    stream.write_at_receiver(layout::TAIL, CAPACITY as u64 + 1);
    assert_eq!(stream.receiver().look(), Err(Lie::Index));
    assert_eq!(stream.receiver().take(&mut [0; 8]), Err(Lie::Index));
}

#[test]
fn a_tail_that_goes_backwards_is_a_lie() {
    let stream = Stream::switched(b"abc");
    assert_eq!(stream.receiver().take(&mut [0; 8]), Ok(3));
    stream.write_at_receiver(layout::TAIL, 2);
    assert_eq!(stream.receiver().look(), Err(Lie::Index));
}

#[test]
fn credit_for_bytes_that_were_not_put_is_a_lie_in_either_word() {
    for word in [layout::CREDIT, layout::CREDIT_ALONG] {
        let stream = Stream::switched(b"abc");
        stream.write_at_sender(word, 4);
        assert_eq!(stream.sender().room(), Err(Lie::Index));
        assert_eq!(stream.sender().put(b"d"), Err(Lie::Index));
    }
}

#[test]
fn moves_that_nobody_can_have_made_are_lies() {
    let unready = Stream::new();
    unready.write_at_receiver(layout::EPOCH, 1);
    assert_eq!(unready.receiver().look(), Err(Lie::Index));
    let stream = Stream::switched(b"abc");
    stream.write_at_receiver(layout::EPOCH, 3);
    assert_eq!(stream.receiver().look(), Err(Lie::Index));
    assert_eq!(stream.receiver().from_kernel(&[0]), Err(Lie::Index));
}

#[test]
fn a_switch_before_bytes_that_have_come_is_a_lie() {
    let stream = Stream::new();
    stream.receiver().set_ready(true);
    assert_eq!(stream.receiver().from_kernel(b"abc"), Ok(3));
    stream.write_at_receiver(layout::SWITCH_AT, 2);
    stream.write_at_receiver(layout::EPOCH, 1);
    assert_eq!(stream.receiver().look(), Err(Lie::Index));
    assert_eq!(stream.receiver().from_kernel(b"d"), Err(Lie::Index));
}

#[test]
fn a_leave_beyond_the_tail_or_far_away_is_a_lie() {
    let stream = Stream::switched(b"abc");
    stream.sender().leave();
    stream.write_at_receiver(layout::LEAVE_AT, 4);
    assert_eq!(stream.receiver().look(), Err(Lie::Index));
    stream.write_at_receiver(layout::LEAVE_AT, 3);
    assert_eq!(stream.receiver().take(&mut [0; 8]), Ok(3));
    stream.write_at_receiver(layout::RESUME_AT, 1 << 40);
    assert_eq!(stream.receiver().look(), Err(Lie::Index));
}

#[test]
fn a_byte_that_no_doorbell_accounts_for_is_a_strangers() {
    let stream = Stream::switched(b"abc");
    assert_eq!(stream.receiver().from_kernel(&[0]), Ok(0));
    assert_eq!(stream.receiver().from_kernel(b"!"), Err(Lie::StrangerByte));
}

#[test]
fn more_given_back_than_was_unread_is_a_lie() {
    let stream = Stream::switched(b"abc");
    assert_eq!(stream.receiver().retract(), Ok(true));
    assert!(stream.sender().is_retracted());
    stream.sender().answer_retract(true);
    assert_eq!(stream.sender().is_released(), Ok(false));
    // Three bytes are in the ring, and one doorbell has been sent.
    stream.write_at_sender(layout::HOLD_SEEN, 1);
    stream.write_at_sender(layout::RETURNED, 5);
    assert_eq!(stream.sender().next_return(&mut [0; 8]), Err(Lie::Index));
}

#[test]
fn what_is_unread_at_a_retract_comes_back_once_and_after_its_doorbells() {
    let stream = Stream::switched(b"abcdef");
    assert_eq!(stream.receiver().take(&mut [0; 2]), Ok(2));
    assert_eq!(stream.receiver().retract(), Ok(true));
    assert_eq!(stream.receiver().give_back(), Ok(Back::Wait), "the sender has not left");
    stream.sender().answer_retract(true);
    assert_eq!(stream.receiver().give_back(), Ok(Back::Kernel { limit: 1 }), "a doorbell stands in the kernel");
    assert_eq!(stream.receiver().give_back_from_kernel(&[0]), Ok(()));
    assert_eq!(stream.receiver().give_back(), Ok(Back::Done));
    assert_eq!(given_back(&stream), b"cdef");
    assert_eq!(stream.sender().is_released(), Ok(true));
}

/// What comes out of the return area, once the receiver is done.
fn given_back(stream: &Stream) -> Vec<u8> {
    let (mut back, mut piece) = (Vec::new(), [0; 7]);
    loop {
        let n = stream.sender().next_return(&mut piece).unwrap();
        if n == 0 {
            return back;
        }
        assert_eq!(stream.sender().is_released(), Ok(false), "bytes are still to be sent");
        stream.sender().return_sent(n);
        back.extend_from_slice(&piece[..n]);
    }
}

#[test]
fn a_stream_that_has_overflowed_comes_back_in_order_with_what_the_kernel_held() {
    let stream = Stream::switched(b"abcdef");
    stream.sender().leave();
    stream.send.sent_by_kernel(3);
    assert_eq!(stream.receiver().retract(), Ok(true));
    assert_eq!(stream.receiver().give_back(), Ok(Back::Wait), "the sender may send more");
    stream.sender().answer_retract(true);
    assert_eq!(stream.receiver().give_back(), Ok(Back::Kernel { limit: 1 }), "the doorbell");
    assert_eq!(stream.receiver().give_back_from_kernel(&[0]), Ok(()));
    assert_eq!(stream.receiver().give_back(), Ok(Back::Kernel { limit: 3 }));
    assert_eq!(stream.receiver().give_back_from_kernel(b"ghi"), Ok(()));
    assert_eq!(stream.receiver().give_back(), Ok(Back::Done));
    assert_eq!(given_back(&stream), b"abcdefghi");
    assert_eq!(stream.sender().is_released(), Ok(true));
}

#[test]
fn a_sender_that_waits_for_the_receiver_in_the_kernel_is_read_from_before_it_holds() {
    let stream = Stream::switched(b"abc");
    stream.sender().leave();
    assert_eq!(stream.receiver().retract(), Ok(true));
    stream.sender().tell_busy();
    assert_eq!(stream.receiver().give_back(), Ok(Back::Kernel { limit: 1 }));
    assert_eq!(stream.receiver().give_back_from_kernel(&[0]), Ok(()));
    let Ok(Back::Kernel { limit }) = stream.receiver().give_back() else { panic!("nothing may be read") };
    assert_eq!(limit, 2 * CAPACITY - 3, "as much as there is room for");
    stream.send.sent_by_kernel(2);
    assert_eq!(stream.receiver().give_back_from_kernel(b"de"), Ok(()));
    stream.sender().answer_retract(true);
    assert_eq!(stream.receiver().give_back(), Ok(Back::Done));
    assert_eq!(given_back(&stream), b"abcde");
}

#[test]
fn a_sender_whose_kernel_road_others_use_does_not_hold() {
    let stream = Stream::switched(b"abc");
    stream.sender().leave();
    assert_eq!(stream.receiver().retract(), Ok(true));
    stream.sender().answer_retract(false);
    assert_eq!(stream.receiver().give_back(), Ok(Back::Refused));
    assert!(!stream.receiver().has_given_back() && !stream.send.owes_return());
}

#[test]
fn doorbells_are_taken_away_whether_the_sender_holds_refuses_or_is_gone() {
    for answer in [Some(true), Some(false), None] {
        let stream = Stream::switched(b"abc");
        assert_eq!(stream.receiver().take(&mut [0; 3]), Ok(3));
        stream.sender().leave();
        assert_eq!(stream.receiver().retract(), Ok(true));
        if let Some(can_hold) = answer {
            stream.sender().answer_retract(can_hold);
        }
        assert_eq!(stream.receiver().give_back(), Ok(Back::Kernel { limit: 1 }));
        assert_eq!(stream.receiver().give_back_from_kernel(&[0]), Ok(()));
        assert_eq!(stream.receiver().give_back(), Ok(Back::Done));
        assert_eq!(stream.sender().is_released(), Ok(true));
    }
}

#[test]
fn a_hold_before_bytes_that_have_come_is_a_lie_and_so_is_room_that_cannot_be() {
    let stream = Stream::switched(b"abc");
    assert_eq!(stream.receiver().retract(), Ok(true));
    stream.sender().answer_retract(true);
    stream.write_at_receiver(layout::RETAKEN, 1);
    assert_eq!(stream.receiver().give_back(), Err(Lie::Index));
    stream.write_at_receiver(layout::RETAKEN, 0);
    assert_eq!(stream.receiver().give_back(), Ok(Back::Kernel { limit: 1 }));
    assert_eq!(stream.receiver().give_back_from_kernel(&[0]), Ok(()));
    stream.write_at_receiver(layout::HELD_AT, 0);
    assert_eq!(stream.receiver().give_back(), Err(Lie::Index));
}

#[test]
fn credit_of_the_receiver_alone_refills_the_ring() {
    let stream = Stream::switched(&[7; CAPACITY]);
    assert_eq!(stream.receiver().from_kernel(&[0]), Ok(0));
    assert_eq!(stream.sender().room(), Ok(0));
    assert_eq!(stream.receiver().take(&mut [0; CAPACITY / 2]), Ok(CAPACITY / 2));
    assert_eq!(stream.sender().room(), Ok(CAPACITY / 2));
    assert_eq!(stream.receiver().take(&mut [0; 1]), Ok(1));
    assert_eq!(stream.sender().room(), Ok(CAPACITY / 2), "less than a quarter ring is not worth a line");
    stream.receiver().arm();
    assert_eq!(stream.sender().room(), Ok(CAPACITY / 2 + 1), "whoever sleeps has told all");
}

#[test]
fn a_switch_that_the_receiver_has_forbidden_is_taken_back_empty() {
    let stream = Stream::new();
    stream.receiver().set_ready(true);
    assert!(stream.sender().may_switch());
    stream.receiver().set_ready(false);
    assert!(!stream.sender().switch());
    assert_eq!(stream.send.road(), Road::Kernel);
    assert_eq!(stream.sender().put(b"abc"), Ok(0));
    assert!(!stream.sender().must_ring());
    assert!(matches!(stream.receiver().look(), Ok(Next::Kernel { .. })));
}

/// A receiver that is killed with a doorbell unread makes the kernel say reset; its sender must know that nothing was lost.
#[test]
fn what_is_consumed_while_a_doorbell_is_under_way_is_told_at_once() {
    let stream = Stream::switched(b"abc");
    assert_eq!(stream.receiver().take(&mut [0; 8]), Ok(3));
    assert!(stream.sender().is_drained() && stream.sender().lag() == 1, "the switch's own doorbell");
    assert_eq!(stream.receiver().from_kernel(&[0]), Ok(0));
    assert_eq!(stream.sender().put(b"defg"), Ok(4));
    assert_eq!(stream.receiver().take(&mut [0; 8]), Ok(4));
    assert!(!stream.sender().is_drained(), "small sums wait when no doorbell can be under way");
    stream.receiver().arm();
    assert_eq!(stream.sender().put(b"h"), Ok(1));
    assert_eq!(stream.receiver().take(&mut [0; 8]), Ok(1));
    assert!(stream.sender().is_drained(), "the sender may be about to ring");
    stream.receiver().from_kernel(&[]).unwrap();
    stream.receiver().disarm();
    assert_eq!(stream.sender().put(b"ij"), Ok(2));
    assert_eq!(stream.receiver().take(&mut [0; 8]), Ok(2));
    stream.receiver().disarm();
    assert!(stream.sender().is_drained(), "who closes disarms before");
}

#[test]
fn a_ring_that_was_sent_again_is_given_up_for_the_kernel_s_queue() {
    let stream = Stream::switched(b"0123456789");
    assert_eq!(stream.receiver().take(&mut [0; 4]), Ok(4));
    assert_eq!(stream.receiver().follow_again(), Ok(None), "the sender has not left");
    let mut back = [0; 16];
    let unread = stream.sender().unread().unwrap();
    assert_eq!(stream.sender().read_back(unread, &mut back), unread as usize);
    assert!(b"0123456789".ends_with(&back[..unread as usize]));
    stream.sender().ringing(unread);
    stream.sender().leave_again(unread);
    assert!(stream.sender().only_doorbells_are_out());
    let before = 1 + unread as usize - 6;
    assert_eq!(stream.receiver().follow_again(), Ok(Some(before)));
    assert_eq!(stream.receiver().from_kernel(&vec![0; before]), Ok(0));
    assert_eq!(stream.receiver().follow_again(), Ok(Some(0)));
    assert_eq!(stream.receiver().look(), Ok(Next::Kernel { limit: layout::STASH_MAX }));
    assert!(stream.sender().lag() > 0 && !stream.sender().only_doorbells_are_out(), "what is left is data");
    assert_eq!(stream.receiver().from_kernel(b"456789"), Ok(6));
    assert!(stream.sender().is_drained() && stream.sender().may_switch());
}

#[test]
fn a_ring_that_was_not_sent_again_whole_or_is_past_that_is_kept() {
    for (again, received) in [(0, 0), (2, 0), (3, 2)] {
        let stream = Stream::switched(b"abc");
        stream.sender().ringing(3);
        stream.sender().leave_again(again);
        assert_eq!(stream.receiver().from_kernel(&vec![0; received]), Ok(0));
        let followed = stream.receiver().follow_again();
        assert_eq!(followed, Ok(None), "{again} sent again, {received} received");
        assert_eq!(stream.receiver().look(), Ok(Next::Data(3)));
    }
}

/// Whoever ends a stream sends what is unread again, and waits for as long as that takes.
#[test]
fn no_more_than_a_window_is_ever_unread() {
    let stream = Stream::switched(&[7; CAPACITY]);
    assert_eq!(stream.receiver().take(&mut [0; CAPACITY]), Ok(CAPACITY));
    assert_eq!(stream.sender().put(b"abc"), Ok(3));
    assert_eq!(stream.sender().unread(), Ok(3));
    stream.write_at_sender(layout::CREDIT, 0);
    stream.write_at_sender(layout::CREDIT_ALONG, 0);
    assert_eq!(stream.sender().unread(), Err(Lie::Index));
}
