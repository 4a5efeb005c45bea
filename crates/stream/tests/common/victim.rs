//! One honest end whose peer writes anything anywhere: every call must return, without a panic, whatever the words say.
use vmmc_sim::{SimBuffer, SimExport, SimImport};
use vmmc_stream::{End, Next, Receiver, RecvState, SendState, Sender, layout};

/// See the file's page.
pub(crate) struct Victim {
    capacity: usize,
    inbox: SimBuffer,
    import: SimImport,
    send: SendState,
    recv: RecvState,
    buf: Vec<u8>,
    /// Calls that found a lie out.
    pub(crate) lies: u32,
}

impl Victim {
    pub(crate) fn new(capacity: usize) -> Self {
        let len = layout::slot_len(capacity);
        let import = SimBuffer::new(len).import(0, len).unwrap();
        let (send, recv) = (SendState::new(), RecvState::new());
        send.reset(100);
        recv.reset(100);
        send.pair(capacity as u64);
        recv.pair(capacity as u64);
        Self { capacity, inbox: SimBuffer::new(len), import, send, recv, buf: vec![7; 3 * capacity], lies: 0 }
    }

    /// Begins anew: positions at 0, so that small words are near the truth again.
    pub(crate) fn forget(&mut self) {
        self.send.reset(0);
        self.recv.reset(0);
        self.send.pair(self.capacity as u64);
        self.recv.pair(self.capacity as u64);
        self.call(7, 1);
    }

    /// What the peer writes with.
    pub(crate) fn peer(&self) -> SimImport {
        self.inbox.import(0, layout::slot_len(self.capacity)).unwrap()
    }

    /// One call of the victim's; `arg` is a length or a choice.
    pub(crate) fn call(&mut self, op: u8, arg: u16) {
        let inbox: SimExport = self.inbox.export(0, layout::slot_len(self.capacity)).unwrap();
        let receiver = Receiver::new(&self.recv, inbox.clone(), self.import.clone());
        let sender = Sender::new(&self.send, &self.recv, inbox, self.import.clone());
        let n = usize::from(arg) % self.buf.len();
        let (buf, rest) = self.buf.split_at_mut(n);
        let told = match op % 21 {
            0 => receiver.look().map(drop),
            1 => receiver.take(buf).map(drop),
            2 => receiver.peek(usize::from(arg >> 8), rest).map(drop),
            3 => receiver.from_kernel(buf).map(drop),
            4 => receiver.look().and_then(|next| match next {
                Next::Kernel { limit } => receiver.from_kernel(&rest[..limit.min(rest.len())]).map(drop),
                Next::Data(_) => receiver.take(rest).map(drop),
                Next::Empty { doorbells } => receiver.from_kernel(&rest[..doorbells.min(1)]).map(drop),
            }),
            8 => receiver.retract().map(drop),
            9 if arg.is_multiple_of(4) => receiver.follow_again().map(drop),
            9 => receiver.give_back().map(drop),
            10 if arg.is_multiple_of(8) => sender.unread().map(|unread| _ = sender.read_back(unread, rest)),
            10 => sender.put(buf).map(drop),
            11 => sender.put(&rest[..rest.len().min(8)]).map(drop),
            16 => sender.is_released().map(drop),
            17 => sender.next_return(rest).map(|n| sender.return_sent(n)),
            20 => receiver.give_back_from_kernel(buf),
            _ => {
                Self::call_what_cannot_lie(&sender, &receiver, op, arg);
                Ok(())
            }
        };
        self.lies += u32::from(told.is_err());
        if op % 21 == 19 {
            self.send.sent_by_kernel(u64::from(arg));
        }
    }

    fn call_what_cannot_lie(
        sender: &Sender<'_, SimExport, SimImport>,
        receiver: &Receiver<'_, SimExport, SimImport>,
        op: u8,
        arg: u16,
    ) {
        match op % 21 {
            5 => receiver.arm(),
            6 => receiver.disarm(),
            7 => receiver.set_ready(!arg.is_multiple_of(4)),
            12 if sender.must_ring() => sender.ringing(1),
            13 if sender.may_switch() => drop(sender.switch()),
            14 => sender.leave_again(u64::from(arg) % 8),
            15 if sender.is_retracted() || arg.is_multiple_of(8) => sender.answer_retract(!arg.is_multiple_of(16)),
            18 => {
                sender.ringing(1);
                sender.not_rung(1);
            }
            _ => {
                let _ = (receiver.has_news(), receiver.end_hinted(), sender.room(), sender.lag(), sender.is_drained());
                sender.hint_end(End::Whole);
            }
        }
    }

    /// A word that might be believed: near what this end knows, or at the edge of what a word can hold.
    pub(crate) fn tempting(&self, choice: u8, offset: u8) -> u64 {
        let offset = u64::from(offset);
        let base = match choice % 12 {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << 63,
            3 => layout::TAIL_MASK,
            4 => u64::from(u32::MAX),
            5 => self.send.kernel_bytes(),
            6 => self.recv.kernel_bytes(),
            7 => self.capacity as u64,
            8 => self.own(layout::TAIL),
            9 => self.own(layout::EPOCH),
            10 => self.own(layout::RETURNED),
            _ => offset << 56 | self.own(layout::TAIL) & layout::TAIL_MASK,
        };
        base.wrapping_add(offset % 16).wrapping_sub(u64::from(choice >> 4) % 4)
    }

    fn own(&self, at: usize) -> u64 {
        vmmc_contract::Export::load(&self.inbox, at)
    }
}
