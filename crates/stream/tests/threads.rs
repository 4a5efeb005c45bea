//! Both directions at full speed over real shared memory: a sender and a receiver thread at each end, so that credit told
//! along a put races with credit told by the receiver, and every move races with everything.
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};
use vmmc_shm::{Segment, ShmExport, ShmImport};
use vmmc_stream::{Back, Next, Receiver, RecvState, Road, SendState, Sender, layout};

const CAPACITY: usize = 1024;
const PIPE: usize = 2048;
const TOTAL: usize = 2_000_000;
/// Nothing takes this long unless somebody was left asleep.
const STUCK: Duration = Duration::from_secs(60);

/// The kernel's queue of one direction.
#[derive(Default)]
struct Pipe {
    queue: Mutex<VecDeque<u8>>,
    filled: Condvar,
}

impl Pipe {
    fn send(&self, data: &[u8]) -> usize {
        let mut queue = self.queue.lock().unwrap();
        let n = data.len().min(PIPE - queue.len());
        queue.extend(&data[..n]);
        self.filled.notify_all();
        n
    }
    fn receive(&self, limit: usize) -> Vec<u8> {
        let mut queue = self.queue.lock().unwrap();
        let n = limit.min(queue.len());
        queue.drain(..n).collect()
    }
    fn sleep(&self) {
        let queue = self.queue.lock().unwrap();
        let waited = self.filled.wait_timeout_while(queue, STUCK, |queue| queue.is_empty()).unwrap();
        assert!(!waited.1.timed_out(), "a receiver sleeps for ever");
    }
}

struct End {
    send: SendState,
    recv: RecvState,
    segment: Segment,
    out: Pipe,
}

impl End {
    fn new() -> Self {
        let (segment, _fd) = Segment::create(layout::slot_len(CAPACITY)).unwrap();
        let (send, recv) = (SendState::new(), RecvState::new());
        send.pair(CAPACITY as u64);
        recv.pair(CAPACITY as u64);
        Self { send, recv, segment, out: Pipe::default() }
    }
    fn inbox(&self) -> ShmExport {
        self.segment.export(0, layout::slot_len(CAPACITY)).unwrap()
    }
    fn import(&self) -> ShmImport {
        self.segment.import(0, layout::slot_len(CAPACITY)).unwrap()
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % limit
    }
}

/// Byte `n` of a stream; never 0, which is a doorbell.
fn byte(n: usize) -> u8 {
    1 + (n % 255) as u8
}

fn ring_if_owed(end: &End, sender: &Sender<'_, ShmExport, ShmImport>) {
    if sender.must_ring() {
        sender.ringing(1);
        if end.out.send(&[0]) == 0 {
            sender.not_rung(1);
        }
    }
}

/// What may be unread in the ring, sent on the kernel road as doorbells; 0: it was not all taken.
fn send_again(end: &End, sender: &Sender<'_, ShmExport, ShmImport>) -> u64 {
    let unread = sender.unread().unwrap();
    let (mut left, mut piece) = (unread, [0; 100]);
    while left > 0 {
        let n = sender.read_back(left, &mut piece);
        sender.ringing(n as u64);
        let sent = end.out.send(&piece[..n]);
        if sent < n {
            sender.not_rung((n - sent) as u64);
            return 0;
        }
        left -= sent as u64;
    }
    unread
}

/// Answers a retract and puts what comes back on the kernel road, as a sender's service does.
fn settle(end: &End, sender: &Sender<'_, ShmExport, ShmImport>) -> bool {
    if sender.is_retracted() {
        sender.answer_retract(true);
    }
    let mut back = [0; 100];
    loop {
        let n = sender.next_return(&mut back).unwrap();
        if n == 0 {
            return sender.is_released().unwrap();
        }
        let sent = end.out.send(&back[..n]);
        sender.return_sent(sent);
        if sent < n {
            return false;
        }
    }
}

fn send_all(end: &End, peer: &End, seed: u64) -> u32 {
    let sender = Sender::new(&end.send, &end.recv, end.inbox(), peer.import());
    let (mut random, mut done, mut switches, begin) = (Random(seed), 0, 0, Instant::now());
    // After the last byte, the receiver may still ask for some of them back.
    while done < TOTAL || !sender.is_drained() || end.send.owes_return() || sender.must_ring() {
        assert!(begin.elapsed() < STUCK, "a sender is stuck: {end:?}", end = (&end.send, &peer.recv));
        ring_if_owed(end, &sender);
        if !settle(end, &sender) || done == TOTAL {
            std::thread::yield_now();
            continue;
        }
        if sender.may_switch() && random.below(4) == 0 {
            switches += u32::from(sender.switch());
        }
        let most = [16, 700][random.below(2)];
        let size = (1 + random.below(most)).min(TOTAL - done);
        let data: Vec<u8> = (done..done + size).map(byte).collect();
        if end.send.road() == Road::Vmmc {
            let n = sender.put(&data).unwrap();
            done += n;
            ring_if_owed(end, &sender);
            let tired = if n == 0 { random.below(20) == 0 } else { random.below(200) == 0 };
            if tired && !sender.must_ring() {
                let again = if random.below(2) == 0 { send_again(end, &sender) } else { 0 };
                sender.leave_again(again);
            }
        } else {
            let n = end.out.send(&data);
            end.send.sent_by_kernel(n as u64);
            done += n;
        }
        if random.below(50) == 0 {
            std::thread::yield_now();
        }
    }
    switches
}

fn receive_all(end: &End, peer: &End, seed: u64) -> u32 {
    let receiver = Receiver::new(&end.recv, end.inbox(), peer.import());
    receiver.set_ready(true);
    let (mut random, mut done, mut retracts, mut buf) = (Random(seed), 0, 0, vec![0; 2 * CAPACITY]);
    while done < TOTAL {
        if random.below(2000) == 0 {
            retracts += u32::from(move_back(&receiver, peer));
            receiver.set_ready(true);
        }
        let size = 1 + random.below(buf.len() - 1);
        let got = match receiver.look().unwrap() {
            Next::Data(_) => receiver.take(&mut buf[..size]).unwrap(),
            Next::Kernel { limit } => {
                peer.out.sleep();
                let bytes = peer.out.receive(limit.min(size));
                buf[..bytes.len()].copy_from_slice(&bytes);
                receiver.from_kernel(&bytes).unwrap()
            }
            Next::Empty { doorbells } => {
                receiver.from_kernel(&peer.out.receive(doorbells)).unwrap();
                receiver.arm();
                if !receiver.has_news() {
                    peer.out.sleep();
                    receiver.from_kernel(&peer.out.receive(1)).unwrap();
                }
                0
            }
        };
        for read in &buf[..got] {
            assert_eq!(*read, byte(done), "byte {done}");
            done += 1;
        }
    }
    receiver.arm();
    retracts
}

/// Whether there was something to be given back.
fn move_back(receiver: &Receiver<'_, ShmExport, ShmImport>, peer: &End) -> bool {
    while let Some(before @ 1..) = receiver.follow_again().unwrap() {
        assert_eq!(receiver.from_kernel(&peer.out.receive(before)), Ok(0));
    }
    if !receiver.retract().unwrap() {
        return false;
    }
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < STUCK, "a retract is never answered");
        match receiver.give_back().unwrap() {
            Back::Done => return receiver.has_given_back(),
            Back::Wait => std::thread::yield_now(),
            Back::Kernel { limit } => receiver.give_back_from_kernel(&peer.out.receive(limit)).unwrap(),
            Back::Refused => panic!("refused"),
        }
    }
}

#[test]
fn four_threads_move_both_streams_at_will_and_lose_nothing() {
    let (one, two) = (End::new(), End::new());
    std::thread::scope(|scope| {
        let senders = [scope.spawn(|| send_all(&one, &two, 11)), scope.spawn(|| send_all(&two, &one, 22))];
        let receivers = [scope.spawn(|| receive_all(&one, &two, 33)), scope.spawn(|| receive_all(&two, &one, 44))];
        let [retracts_one, retracts_two] = receivers.map(|thread| thread.join().unwrap());
        let [switches_one, switches_two] = senders.map(|thread| thread.join().unwrap());
        assert!(switches_one > 20 && switches_two > 20, "{switches_one} and {switches_two} switches");
        assert!(retracts_one + retracts_two > 0, "{retracts_one} and {retracts_two} retracts");
    });
}
