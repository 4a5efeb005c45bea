//! Every interleaving, under C11's memory model, of the places where two threads meet without a lock.
//!
//! Run: `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test -p vmmc-stream --release --test loom`
//!
//! Each model fails when what it guards is broken; tried by hand, one change at a time:
//! - `messages…`: publish the tail before the inline bytes, or write them although the ring is not empty;
//! - `window…`: widen while something is unread, or do not tell the window;
//! - `armed…`: drop the fence in `Sender::must_ring` or the one in `Receiver::arm`;
//! - `switch…`: send no doorbell after a switch that found the receiver unarmed; complete a leave before its doorbells have come;
//! - `held…`: tell of the hold before the leave, or release before the last byte is told;
//! - `retract…`: drop the fence in `Sender::switch` or in `Receiver::retract`, or `switch`'s second look at `READY`.
#![cfg(loom)]
use loom::sync::{Arc, Condvar, Mutex};
use std::collections::VecDeque;
use vmmc_contract::{Export, Import, WriteError};
use vmmc_stream::{Back, Next, Receiver, RecvState, Road, SendState, Sender, layout};
use vmmc_sync::{AtomicU64, Ordering};

/// Room for a window that can widen once.
const CAPACITY: usize = 2 * layout::WINDOW_LEAST as usize;
/// What most models need: a ring that is soon full.
const SMALL: u64 = 16;
const BELL: u8 = 0;

/// A slot with only the words that a model touches: loom explores each of them.
#[derive(Clone)]
struct Slot(Arc<Vec<AtomicU64>>);

impl Slot {
    fn new() -> Self {
        let words = layout::WORDS_END / 8 + 3 * CAPACITY / 8 + 2;
        Self(Arc::new((0..words).map(|_| AtomicU64::new(0)).collect()))
    }
    /// The control words stand first, then what starts at `RING`, then two words of stash.
    fn word(&self, at: usize) -> &AtomicU64 {
        let ring = layout::WORDS_END / 8;
        &self.0[if at >= layout::RING { ring + (at - layout::RING) / 8 } else { at / 8 }]
    }
    fn copy_in(&self, at: usize, src: &[u8]) {
        let mut done = 0;
        while done < src.len() {
            let within = (at + done) % 8;
            let n = (8 - within).min(src.len() - done);
            let word = self.word(at + done);
            let mut bytes = if n == 8 { [0; 8] } else { word.load(Ordering::Relaxed).to_le_bytes() };
            bytes[within..within + n].copy_from_slice(&src[done..done + n]);
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
            done += n;
        }
    }
}

impl Export for Slot {
    fn len(&self) -> usize {
        layout::slot_len(CAPACITY)
    }
    fn load(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Acquire)
    }
    fn read(&self, at: usize, dst: &mut [u8]) -> bool {
        let mut done = 0;
        while done < dst.len() {
            let within = (at + done) % 8;
            let n = (8 - within).min(dst.len() - done);
            let bytes = self.word(at + done).load(Ordering::Relaxed).to_le_bytes();
            dst[done..done + n].copy_from_slice(&bytes[within..within + n]);
            done += n;
        }
        true
    }
    fn keep(&self, at: usize, src: &[u8]) -> bool {
        self.copy_in(at, src);
        true
    }
}

impl Import for Slot {
    fn len(&self) -> usize {
        layout::slot_len(CAPACITY)
    }
    fn write(&self, at: usize, src: &[u8]) -> Result<(), WriteError> {
        self.copy_in(at, src);
        Ok(())
    }
    fn store(&self, at: usize, value: u64) -> Result<(), WriteError> {
        self.word(at).store(value, Ordering::Release);
        Ok(())
    }
    fn read_back(&self, at: usize, dst: &mut [u8]) -> bool {
        self.read(at, dst)
    }
    fn notify(&self) -> Result<(), WriteError> {
        Ok(())
    }
}

/// The kernel's queue in the stream's direction. A receiver that waits in vain is a deadlock, which loom reports.
struct Kernel {
    queue: Mutex<VecDeque<u8>>,
    filled: Condvar,
}

impl Kernel {
    fn send(&self, byte: u8) {
        self.queue.lock().unwrap().push_back(byte);
        self.filled.notify_one();
    }
    /// Sleeps until there is something, as `recv(MSG_PEEK)` does.
    fn sleep(&self) {
        let mut queue = self.queue.lock().unwrap();
        while queue.is_empty() {
            queue = self.filled.wait(queue).unwrap();
        }
    }
    fn receive(&self, limit: usize) -> Vec<u8> {
        let mut queue = self.queue.lock().unwrap();
        let n = limit.min(queue.len());
        queue.drain(..n).collect()
    }
}

/// One stream: its sender's end, its receiver's end, the kernel road between them.
struct Stream {
    send: SendState,
    recv: RecvState,
    opposite: RecvState,
    at_sender: Slot,
    at_receiver: Slot,
    kernel: Kernel,
}

impl Stream {
    fn new(capacity: u64) -> Arc<Self> {
        let stream = Self {
            send: SendState::new(),
            recv: RecvState::new(),
            opposite: RecvState::new(),
            at_sender: Slot::new(),
            at_receiver: Slot::new(),
            kernel: Kernel { queue: Mutex::new(VecDeque::new()), filled: Condvar::new() },
        };
        stream.send.pair(capacity);
        stream.recv.pair(capacity);
        stream.receiver().set_ready(true);
        Arc::new(stream)
    }
    /// On the VMMC road, the first doorbell sent and received.
    fn on_ring(capacity: u64) -> Arc<Self> {
        let stream = Self::new(capacity);
        assert!(stream.sender().switch());
        stream.ring();
        assert_eq!(stream.receiver().from_kernel(&stream.kernel.receive(1)), Ok(0));
        assert_eq!(stream.recv.road(), Road::Vmmc);
        stream
    }
    fn sender(&self) -> Sender<'_, Slot, Slot> {
        Sender::new(&self.send, &self.opposite, self.at_sender.clone(), self.at_receiver.clone())
    }
    fn receiver(&self) -> Receiver<'_, Slot, Slot> {
        Receiver::new(&self.recv, self.at_receiver.clone(), self.at_sender.clone())
    }
    fn ring(&self) {
        self.sender().ringing(1);
        self.kernel.send(BELL);
    }
    fn put(&self, data: &[u8]) {
        assert_eq!(self.sender().put(data), Ok(data.len()));
        if self.sender().must_ring() {
            self.ring();
        }
    }

    /// What a blocking receive does, until `n` bytes have come.
    fn receive(&self, n: usize) -> Vec<u8> {
        let (receiver, mut got, mut piece) = (self.receiver(), Vec::new(), [0; 8]);
        while got.len() < n {
            match receiver.look().unwrap() {
                Next::Data(_) => {
                    let n = receiver.take(&mut piece).unwrap();
                    got.extend_from_slice(&piece[..n]);
                }
                Next::Kernel { limit } => {
                    self.kernel.sleep();
                    let bytes = self.kernel.receive(limit.min(8));
                    got.extend_from_slice(&bytes[..receiver.from_kernel(&bytes).unwrap()]);
                }
                Next::Empty { .. } => {
                    receiver.arm();
                    if !receiver.has_news() {
                        self.kernel.sleep();
                        let _ = receiver.from_kernel(&self.kernel.receive(1)).unwrap();
                    }
                }
            }
        }
        got
    }
}

#[test]
fn messages_arrive_whole_and_in_order_inline_and_wrapped() {
    loom::model(|| {
        let stream = Stream::on_ring(SMALL);
        let sender = Arc::clone(&stream);
        let thread = loom::thread::spawn(move || {
            assert_eq!(sender.sender().put(&[1, 2, 3, 4, 5, 6, 7, 8]), Ok(8));
            assert_eq!(sender.sender().put(&[9, 10, 11, 12]), Ok(4));
            // What there is room for: 4 bytes, or with credit all of them, over the ring's end.
            sender.sender().put(&[13, 14, 15, 16, 17, 18]).unwrap()
        });
        let (mut got, mut piece) = (Vec::new(), [0; 8]);
        for _ in 0..3 {
            let n = stream.receiver().take(&mut piece).unwrap();
            got.extend_from_slice(&piece[..n]);
        }
        let sent = 12 + thread.join().unwrap();
        while got.len() < sent {
            let n = stream.receiver().take(&mut piece).unwrap();
            assert!(n > 0, "{got:?} of {sent}");
            got.extend_from_slice(&piece[..n]);
        }
        assert_eq!(got, (1..=sent as u8).collect::<Vec<_>>());
    });
}

#[test]
fn window_widens_under_nobodys_unread_bytes() {
    loom::model(|| {
        let stream = Stream::on_ring(CAPACITY as u64);
        // So that the next bytes stand elsewhere in a wider window.
        assert_eq!(stream.sender().put(&[0; 40]), Ok(40));
        assert_eq!(stream.receiver().take(&mut [0; 40]), Ok(40));
        let sender = Arc::clone(&stream);
        let data: Vec<u8> = (1..=108).collect();
        let all = data.clone();
        let thread = loom::thread::spawn(move || {
            assert_eq!(sender.sender().put(&data[..32]), Ok(32));
            // It does not fit beside what is unread: in part, or in a wider window.
            32 + sender.sender().put(&data[32..]).unwrap()
        });
        let (mut got, mut piece) = (Vec::new(), [0; CAPACITY]);
        for _ in 0..2 {
            let n = stream.receiver().take(&mut piece).unwrap();
            got.extend_from_slice(&piece[..n]);
        }
        let sent = thread.join().unwrap();
        let n = stream.receiver().take(&mut piece).unwrap();
        got.extend_from_slice(&piece[..n]);
        assert_eq!(got, all[..sent]);
    });
}

#[test]
fn armed_receiver_never_misses_a_message() {
    loom::model(|| {
        let stream = Stream::on_ring(SMALL);
        let sender = Arc::clone(&stream);
        let thread = loom::thread::spawn(move || sender.put(&[1]));
        assert_eq!(stream.receive(1), [1]);
        thread.join().unwrap();
    });
}

#[test]
fn switch_and_leave_reach_a_receiver_that_goes_to_sleep_on_the_kernel_road() {
    loom::model(|| {
        let stream = Stream::new(SMALL);
        let sender = Arc::clone(&stream);
        let thread = loom::thread::spawn(move || {
            assert!(sender.sender().switch());
            sender.put(&[1]);
            sender.sender().leave();
            sender.send.sent_by_kernel(1);
            sender.kernel.send(2);
        });
        assert_eq!(stream.receive(2), [1, 2]);
        thread.join().unwrap();
    });
}

#[test]
fn switch_alone_wakes_a_receiver_that_sleeps_on_the_kernel_road() {
    loom::model(|| {
        let stream = Stream::new(SMALL);
        let sender = Arc::clone(&stream);
        let thread = loom::thread::spawn(move || {
            assert!(sender.sender().switch());
            sender.put(&[1]);
        });
        assert_eq!(stream.receive(1), [1]);
        thread.join().unwrap();
    });
}

#[test]
fn retract_finds_every_switch_or_the_sender_takes_it_back() {
    loom::model(|| {
        let stream = Stream::new(SMALL);
        let sender = Arc::clone(&stream);
        let thread = loom::thread::spawn(move || sender.sender().may_switch() && sender.sender().switch());
        let found = stream.receiver().retract().unwrap();
        let switched = thread.join().unwrap();
        assert!(found || !switched, "a switch that the receiver does not know of");
        assert!(!stream.sender().may_switch());
        if found {
            if stream.sender().is_retracted() {
                stream.sender().answer_retract(true);
            }
            assert_eq!(stream.receiver().give_back(), Ok(Back::Done));
            assert_eq!(stream.sender().is_released(), Ok(true));
        }
    });
}

#[test]
fn held_sender_is_read_to_its_end_and_released_after_the_last_byte() {
    loom::model(|| {
        let stream = Stream::on_ring(SMALL);
        assert_eq!(stream.sender().put(&[1]), Ok(1));
        assert_eq!(stream.receiver().retract(), Ok(true));
        let sender = Arc::clone(&stream);
        let thread = loom::thread::spawn(move || {
            // It overflows, and then sees the retract.
            sender.sender().leave();
            sender.send.sent_by_kernel(1);
            sender.kernel.send(2);
            sender.sender().answer_retract(true);
            let mut back = Vec::new();
            while !sender.sender().is_released().unwrap() {
                let mut piece = [0; 8];
                let n = sender.sender().next_return(&mut piece).unwrap();
                sender.sender().return_sent(n);
                back.extend_from_slice(&piece[..n]);
                loom::thread::yield_now();
            }
            back
        });
        loop {
            match stream.receiver().give_back().unwrap() {
                Back::Done => break,
                Back::Kernel { limit } => {
                    let bytes = stream.kernel.receive(limit);
                    stream.receiver().give_back_from_kernel(&bytes).unwrap();
                }
                other => assert_eq!(other, Back::Wait),
            }
            loom::thread::yield_now();
        }
        assert_eq!(thread.join().unwrap(), [1, 2]);
    });
}
