//! Two ends of a connection in one thread: both streams over `vmmc-sim`, a bounded kernel pipe each way, and the two
//! applications' behaviour, one operation at a time. What arrives is compared with a plain queue of bytes.
//!
//! Updates may be delayed, as in a processor's store buffer: they arrive in order, at the latest when their writer
//! passes a full fence or when a kernel byte that was sent after them is read.
use std::cell::Cell;
use std::collections::VecDeque;
use vmmc_sim::{SimBuffer, SimExport, SimImport};
use vmmc_stream::{Back, Next, Receiver, RecvState, Road, SendState, Sender, layout};

/// A doorbell on the wire; data is never 0.
const BELL: u8 = 0;

/// The kernel's queue of one direction: bytes, each with the number of updates that it must not overtake.
struct Pipe {
    queue: VecDeque<(u8, usize)>,
    limit: usize,
}

/// One end: its memory, its position in both streams, and what its application does.
struct End {
    inbox: SimBuffer,
    import: SimImport,
    delivered: Cell<usize>,
    send: SendState,
    recv: RecvState,
    /// Bytes sent by this end that the other application has not received.
    expected: VecDeque<u8>,
    next: u8,
    asleep: bool,
    retracting: bool,
    /// The rest of a kernel call that waits for room; nothing else is sent meanwhile.
    blocked: Vec<u8>,
    /// The call that was under way when the receiver asked has gone on: what follows it settles first.
    late: bool,
    /// Another program reads the kernel's queue from here on: it knows of no ring and of no doorbell.
    replaced: bool,
}

/// See the file's page.
pub(crate) struct World {
    ends: [End; 2],
    /// `pipes[i]` carries what end `i` sends.
    pipes: [Pipe; 2],
    capacity: usize,
    scratch: Vec<u8>,
    /// How often each thing happened that a run should not miss.
    pub(crate) seen: Seen,
}

/// Counts of the protocol's rarer turns.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) switches: u32,
    pub(crate) leaves: u32,
    pub(crate) held: u32,
    pub(crate) given_back: u32,
    pub(crate) retracted_overflows: u32,
    pub(crate) busy: u32,
    pub(crate) replaced: u32,
    pub(crate) sent_again: u32,
    pub(crate) followed: u32,
    pub(crate) bells: u32,
    pub(crate) refused_bells: u32,
    pub(crate) ring_full: u32,
    pub(crate) stashed: u32,
    pub(crate) sleeps: u32,
}

impl End {
    fn new(capacity: usize, delayed: bool) -> Self {
        let len = layout::slot_len(capacity);
        let inbox = if delayed { SimBuffer::delayed(len) } else { SimBuffer::new(len) };
        let import = inbox.import(0, len).unwrap();
        let (send, recv) = (SendState::new(), RecvState::new());
        send.pair(capacity as u64);
        recv.pair(capacity as u64);
        let (delivered, expected) = (Cell::new(0), VecDeque::new());
        let (asleep, retracting, blocked, late, replaced) = (false, false, Vec::new(), false, false);
        Self { inbox, import, delivered, send, recv, expected, next: 0, asleep, retracting, blocked, late, replaced }
    }

    fn deliver(&self, count: usize) {
        self.delivered.set(self.delivered.get() + self.inbox.deliver(count));
    }

    /// Updates ever sent to this end.
    fn sent_here(&self) -> usize {
        self.delivered.get() + self.inbox.in_flight()
    }
}

impl World {
    /// Rings of `capacity` bytes, kernel pipes of `pipe` bytes.
    pub(crate) fn new(capacity: usize, pipe: usize, delayed: bool) -> Self {
        let end = || End::new(capacity, delayed);
        let pipe = || Pipe { queue: VecDeque::new(), limit: pipe };
        let world = Self {
            ends: [end(), end()],
            pipes: [pipe(), pipe()],
            capacity,
            scratch: Vec::new(),
            seen: Seen::default(),
        };
        world.receiver(0).set_ready(true);
        world.receiver(1).set_ready(true);
        world
    }

    fn slot(&self, i: usize) -> SimExport {
        self.ends[i].inbox.export(0, layout::slot_len(self.capacity)).unwrap()
    }
    fn sender(&self, i: usize) -> Sender<'_, SimExport, SimImport> {
        Sender::new(&self.ends[i].send, &self.ends[i].recv, self.slot(i), self.ends[1 - i].import.clone())
    }
    fn receiver(&self, i: usize) -> Receiver<'_, SimExport, SimImport> {
        Receiver::new(&self.ends[i].recv, self.slot(i), self.ends[1 - i].import.clone())
    }
    /// What end `i` wrote arrives, as after a full fence.
    fn fence(&self, i: usize) {
        self.ends[1 - i].deliver(usize::MAX);
    }

    /// One operation; any numbers are a legal one.
    pub(crate) fn step(&mut self, op: u8, arg: u16) {
        let (i, size) = (usize::from(op & 1), usize::from(arg));
        match op >> 1 & 15 {
            0..=2 => self.send(i, size % (2 * self.capacity) + 1, arg & 0x8000 != 0),
            3 => self.send(i, size % 40 + 1, arg & 0x8000 != 0),
            4 => self.switch(i, size % 64 + 1),
            5 => drop(self.leave(i)),
            6 if arg.is_multiple_of(4) => self.retract(i, arg & 0x700 == 0x100),
            6 if self.ends[i].retracting || self.ends[i].replaced => {}
            6 => self.receiver(i).set_ready(true),
            7..=10 => self.receive(i, size % (2 * self.capacity) + 1, arg & 0x4000 != 0),
            11 => self.receive(i, size % 16 + 1, false),
            12 | 13 => self.sleep(i, arg % 3),
            14 => self.ends[i].deliver(size % 8),
            // Its service finds a call under way, on whichever road.
            _ if arg & 0x600 == 0 && self.sender(i).is_retracted() => self.sender(i).tell_busy(),
            _ => self.service(i, arg & 0x100 != 0),
        }
        self.check_wakes(i);
        self.check_wakes(1 - i);
    }

    /// Everything that was sent arrives, although nobody is woken but by the kernel pipe.
    pub(crate) fn finish(&mut self) -> Seen {
        for _ in 0..20_000 {
            if self.ends.iter().all(|end| end.expected.is_empty() && !end.send.owes_return() && !end.retracting) {
                return self.seen;
            }
            for i in 0..2 {
                self.service(i, false);
                self.receive(i, usize::MAX, false);
                self.sleep(i, 0);
                self.ends[i].deliver(1);
            }
        }
        panic!("stuck: {:?}", self.ends.iter().map(|end| (&end.send, &end.recv)).collect::<Vec<_>>());
    }

    fn data(&mut self, i: usize, n: usize) -> Vec<u8> {
        let next = self.ends[i].next;
        (0..n).map(|k| 1 + ((usize::from(next) + k) % 251) as u8).collect()
    }
    /// `n` bytes of what [`World::data`] showed are on their way.
    fn sent(&mut self, i: usize, data: &[u8]) {
        self.ends[i].expected.extend(data);
        self.ends[i].next = ((usize::from(self.ends[i].next) + data.len()) % 251) as u8;
    }

    fn send(&mut self, i: usize, n: usize, refuse_bell: bool) {
        // A call that was under way when the receiver asked goes on, if the stream is on the ring.
        let is_late = refuse_bell
            && self.sender(i).is_retracted()
            && self.ends[i].send.road() == Road::Vmmc
            && self.ends[i].blocked.is_empty()
            && !self.ends[i].late;
        if !is_late && !self.settle(i) {
            return;
        }
        self.ends[i].late = is_late;
        let data = self.data(i, n);
        let mut done = 0;
        if self.ends[i].send.road() == Road::Vmmc {
            done = self.sender(i).put(&data).unwrap();
            self.sent(i, &data[..done]);
            self.ring_if_owed(i, refuse_bell);
            if done == n || is_late || self.seen.sleeps.is_multiple_of(3) || !self.leave(i) {
                return;
            }
            self.seen.ring_full += 1;
        }
        let n = self.kernel_send(i, &data[done..]);
        self.ends[i].send.sent_by_kernel(n as u64);
        self.sent(i, &data[done..done + n]);
        if refuse_bell && n < data.len() - done {
            self.ends[i].blocked = data[done + n..].iter().copied().take(self.capacity / 2).collect();
        }
    }

    fn kernel_send(&mut self, i: usize, data: &[u8]) -> usize {
        let tag = self.ends[1 - i].sent_here();
        let pipe = &mut self.pipes[i];
        let n = data.len().min(pipe.limit - pipe.queue.len());
        pipe.queue.extend(data[..n].iter().map(|byte| (*byte, tag)));
        n
    }

    fn ring_if_owed(&mut self, i: usize, refuse: bool) {
        self.fence(i);
        if !self.sender(i).must_ring() {
            return;
        }
        self.sender(i).ringing(1);
        if refuse || self.kernel_send(i, &[BELL]) == 0 {
            self.sender(i).not_rung(1);
            self.seen.refused_bells += 1;
        } else {
            self.seen.bells += 1;
        }
    }

    /// What the sender's service does when the application does nothing: whether the application may send.
    fn settle(&mut self, i: usize) -> bool {
        if !self.unblocked(i) {
            if self.sender(i).is_retracted() {
                self.sender(i).tell_busy();
                self.seen.busy += 1;
            }
            return false;
        }
        if self.sender(i).is_retracted() {
            self.seen.retracted_overflows += u32::from(self.ends[i].send.road() == Road::Kernel);
            self.ring_if_owed(i, false);
            self.sender(i).answer_retract(true);
            self.seen.held += 1;
        }
        let mut buf = [0; 5];
        loop {
            let n = self.sender(i).next_return(&mut buf).unwrap();
            if n == 0 {
                return self.sender(i).is_released().unwrap();
            }
            let sent = self.kernel_send(i, &buf[..n]);
            self.sender(i).return_sent(sent);
            self.seen.given_back += sent as u32;
            if sent < n {
                return false;
            }
        }
    }

    /// The blocked kernel call goes on as far as there is room: whether it has ended.
    fn unblocked(&mut self, i: usize) -> bool {
        let data = std::mem::take(&mut self.ends[i].blocked);
        let n = self.kernel_send(i, &data);
        self.ends[i].send.sent_by_kernel(n as u64);
        self.sent(i, &data[..n]);
        self.ends[i].blocked = data[n..].to_vec();
        n == data.len()
    }

    fn service(&mut self, i: usize, replaced: bool) {
        self.settle(i);
        if self.ends[i].send.road() == Road::Vmmc {
            self.ring_if_owed(i, false);
        }
        self.give_back(i, replaced);
    }

    fn switch(&mut self, i: usize, n: usize) {
        if !self.settle(i) || !self.sender(i).may_switch() {
            return;
        }
        let switched = self.sender(i).switch();
        self.fence(i);
        assert_eq!(switched, self.ends[i].send.road() == Road::Vmmc);
        if switched {
            self.seen.switches += 1;
            self.send(i, n, n.is_multiple_of(8));
        }
    }

    /// Whether the stream is on the kernel road afterwards. A doorbell that is owed must go first.
    fn leave(&mut self, i: usize) -> bool {
        if !self.ends[i].blocked.is_empty() {
            return false;
        }
        self.ring_if_owed(i, false);
        if self.sender(i).must_ring() {
            return false;
        }
        if self.ends[i].send.road() == Road::Vmmc {
            self.seen.leaves += 1;
            let again = if self.seen.leaves.is_multiple_of(2) { self.send_again(i) } else { 0 };
            self.sender(i).leave_again(again);
        }
        true
    }

    /// What may be unread in the ring, sent on the kernel road as doorbells; 0: it was not all taken.
    fn send_again(&mut self, i: usize) -> u64 {
        let unread = self.sender(i).unread().unwrap();
        let (mut left, mut piece) = (unread, [0; 7]);
        while left > 0 {
            let n = self.sender(i).read_back(left, &mut piece);
            self.sender(i).ringing(n as u64);
            let sent = self.kernel_send(i, &piece[..n]);
            if sent < n {
                self.sender(i).not_rung((n - sent) as u64);
                return 0;
            }
            left -= sent as u64;
        }
        self.seen.sent_again += unread as u32;
        unread
    }

    /// Reads at most `limit` bytes from the kernel and tells the stream: the data among them.
    fn kernel_receive(&mut self, i: usize, limit: usize) -> usize {
        let bytes = self.kernel_read(i, limit);
        let data = self.receiver(i).from_kernel(&bytes).unwrap();
        self.seen.stashed += u32::from(bytes[data..].iter().any(|byte| *byte != BELL));
        self.arrived(i, &bytes[..data]);
        bytes.len()
    }

    fn kernel_read(&mut self, i: usize, limit: usize) -> Vec<u8> {
        let queue = &mut self.pipes[1 - i].queue;
        let n = limit.min(queue.len());
        let (bytes, tags): (Vec<u8>, Vec<usize>) = queue.drain(..n).unzip();
        let late = tags.last().copied().unwrap_or(0).saturating_sub(self.ends[i].delivered.get());
        self.ends[i].deliver(late);
        bytes
    }

    fn arrived(&mut self, i: usize, data: &[u8]) {
        for byte in data {
            assert_eq!(Some(*byte), self.ends[1 - i].expected.pop_front(), "end {i} received a wrong byte");
        }
    }

    fn receive(&mut self, i: usize, n: usize, peek: bool) {
        if self.ends[i].asleep && self.pipes[1 - i].queue.is_empty() {
            return;
        }
        self.ends[i].asleep = false;
        if self.ends[i].replaced {
            let bytes = self.kernel_read(i, n);
            return self.arrived(i, &bytes);
        }
        if self.ends[i].retracting {
            // It holds the receive gate.
            return;
        }
        if n.is_multiple_of(2) {
            self.receiver(i).disarm();
        }
        match self.receiver(i).look().unwrap() {
            Next::Data(available) => self.take(i, n, available, peek),
            Next::Kernel { limit } => drop(self.kernel_receive(i, limit.min(n))),
            Next::Empty { .. } if self.pipes[1 - i].queue.is_empty() => {}
            // A byte that may not have been announced any more: the sender has left meanwhile.
            Next::Empty { doorbells } => drop(self.kernel_receive(i, doorbells.max(1))),
        }
    }

    fn take(&mut self, i: usize, n: usize, available: usize, peek: bool) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.resize(n.min(4 * self.capacity), 0);
        if peek {
            let skip = n / 3;
            let got = self.receiver(i).peek(skip, &mut scratch).unwrap();
            assert!(got == available.saturating_sub(skip).min(scratch.len()));
            let expected = self.ends[1 - i].expected.range(skip.min(available)..).take(got);
            assert!(scratch[..got].iter().eq(expected), "end {i} peeked wrong bytes");
        } else {
            let got = self.receiver(i).take(&mut scratch).unwrap();
            assert!(got >= available.min(scratch.len()));
            self.arrived(i, &scratch[..got]);
        }
        self.scratch = scratch;
    }

    /// Goes to sleep in the kernel if there is nothing. It arms (0), or only if that has not been done or was answered (1),
    /// or sleeps on the kernel road without arming, as a waiter whose call nobody saw (2).
    fn sleep(&mut self, i: usize, how: u16) {
        if self.ends[i].retracting || self.ends[i].replaced {
            return;
        }
        let unseen = how == 2 && matches!(self.receiver(i).look().unwrap(), Next::Kernel { .. });
        if !unseen && (how != 1 || !self.ends[i].recv.is_armed()) {
            self.receiver(i).arm();
            self.fence(i);
        }
        let nothing = !matches!(self.receiver(i).look().unwrap(), Next::Data(_));
        self.ends[i].asleep = nothing && self.pipes[1 - i].queue.is_empty();
        self.seen.sleeps += u32::from(self.ends[i].asleep);
    }

    fn retract(&mut self, i: usize, replaced: bool) {
        if self.ends[i].replaced {
            return;
        }
        if !self.ends[i].retracting && self.follow_again(i) {
            self.seen.followed += 1;
            self.ends[i].replaced = replaced;
        }
        self.receiver(i).set_ready(false);
        self.fence(i);
        self.ends[i].retracting |= self.receiver(i).retract().unwrap();
        self.fence(i);
    }

    /// Whether the ring was given up, since the kernel's queue holds what is unread.
    fn follow_again(&mut self, i: usize) -> bool {
        while let Some(before) = self.receiver(i).follow_again().unwrap() {
            if before == 0 {
                return true;
            }
            let bytes = self.kernel_read(i, before);
            assert_eq!(self.receiver(i).from_kernel(&bytes), Ok(0), "end {i} has no bytes there");
        }
        false
    }

    fn give_back(&mut self, i: usize, replaced: bool) {
        if !self.ends[i].retracting {
            return;
        }
        match self.receiver(i).give_back().unwrap() {
            Back::Done => {
                self.ends[i].retracting = false;
                let in_kernel = self.pipes[1 - i].queue.iter().any(|(byte, _)| *byte == BELL);
                let here = self.receiver(i).has_bytes();
                assert!(!here && !in_kernel, "end {i} still holds bytes: {here}, or doorbells: {in_kernel}");
                self.ends[i].replaced = replaced;
                self.seen.replaced += u32::from(replaced);
            }
            Back::Kernel { limit } => {
                let bytes = self.kernel_read(i, limit);
                self.receiver(i).give_back_from_kernel(&bytes).unwrap();
            }
            Back::Wait => {}
            Back::Refused => panic!("end {i} was refused"),
        }
    }

    /// If end `i` sleeps and bytes are on their way to it, then something in the kernel wakes it, or the sender still owes.
    fn check_wakes(&self, i: usize) {
        let woken = !self.pipes[1 - i].queue.is_empty();
        let coming_back = self.ends[i].retracting || self.ends[1 - i].send.owes_return();
        if !self.ends[i].asleep || woken || self.ends[1 - i].expected.is_empty() || coming_back {
            return;
        }
        self.fence(1 - i);
        assert!(
            self.sender(1 - i).must_ring(),
            "end {i} sleeps for ever: {:?} {:?}",
            self.ends[1 - i].send,
            self.ends[i].recv
        );
    }
}
