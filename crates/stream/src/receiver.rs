use crate::layout::{
    ACK, ARMED, CREDIT, EPOCH, FIN, INLINE, INLINE_MAX, LEAVE_AT, READY, RECEIVED, RESUME_AT, RING, RUNG, STASH_MAX,
    SWITCH_AT, TAIL, TAIL_MASK, WINDOW, stash,
};
use crate::{End, Lie, RecvState, Road};
use vmmc_contract::{Export, Import};
use vmmc_sync::{Ordering, fence};

/// A ring that has become empty is told of at once if at least so many bytes have not been told of yet: a sender that
/// waits for an empty window hears of it, and small messages pay nothing.
const EMPTIED_LEAST: u64 = 1024;

/// Most moves that one look completes. A sender makes an empty switch only when a retract overtakes it, so an honest
/// one cannot come near this.
const MOVES_PER_LOOK: u32 = 16;

/// What a receiver finds when it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// So many bytes can be taken with [`Receiver::take`] now.
    Data(usize),
    /// The kernel road is next: read at most `limit` bytes in one call and pass them to [`Receiver::from_kernel`].
    Kernel {
        /// Most bytes that may be read in one call.
        limit: usize,
    },
    /// On the VMMC road, and the ring is empty; up to so many doorbells may stand in the kernel's queue.
    Empty {
        /// Doorbells announced and not yet received.
        doorbells: usize,
    },
}

/// Y's half of the stream X→Y: used by one thread at a time, the holder of the receive gate.
#[derive(Clone, Copy, Debug)]
pub struct Receiver<'a, E, I> {
    pub(crate) state: &'a RecvState,
    pub(crate) inbox: E,
    pub(crate) peer: I,
}

impl<'a, E: Export, I: Import> Receiver<'a, E, I> {
    /// `inbox` is this end's own slot (the peer writes it), `peer` the other end's slot.
    #[inline(always)]
    pub const fn new(state: &'a RecvState, inbox: E, peer: I) -> Self {
        Self { state, inbox, peer }
    }

    #[inline(always)]
    pub(crate) fn tell(&self, at: usize, value: u64) {
        let _ = self.peer.store(at, value);
    }

    /// The ring's fill, the inline length, checked: no honest sender puts more than the capacity.
    #[inline]
    pub(crate) fn available(&self) -> Result<(u64, u64), Lie> {
        let word = self.inbox.load(TAIL);
        let filled = (word & TAIL_MASK).wrapping_sub(self.state.head.get());
        if filled > self.state.capacity.get() { Err(Lie::Index) } else { Ok((filled, word >> 56)) }
    }

    /// The sender's epoch: at most one switch and one leave beyond what is completed, and none before this end was ready.
    #[inline]
    pub(crate) fn announced(&self) -> Result<u64, Lie> {
        let done = self.state.epoch.get();
        let announced = self.inbox.load(EPOCH);
        let most = if !self.state.is_ready() {
            0
        } else if Road::of(done) == Road::Kernel {
            2
        } else {
            1
        };
        if announced.wrapping_sub(done) > most { Err(Lie::Index) } else { Ok(announced) }
    }

    /// Cheap and without side effects: whether [`Receiver::look`] would find ring bytes or a move. May be called without
    /// the gate; the answer is then a hint.
    #[must_use]
    #[inline]
    pub fn has_news(&self) -> bool {
        self.inbox.load(TAIL) & TAIL_MASK != self.state.head.get()
            || self.state.stash_len.get() != 0
            || self.inbox.load(EPOCH) != self.state.epoch.get()
    }

    /// As [`Receiver::has_news`], but for bytes alone: a move may have nothing behind it.
    #[must_use]
    #[inline]
    pub fn has_bytes(&self) -> bool {
        self.inbox.load(TAIL) & TAIL_MASK != self.state.head.get() || self.state.stash_len.get() != 0
    }

    /// As [`Receiver::has_bytes`], but whether [`Receiver::take_short`] is worth a try.
    #[must_use]
    #[inline(always)]
    pub fn has_short(&self) -> bool {
        let word = self.inbox.load(TAIL);
        word >> 56 != 0 && word & TAIL_MASK != self.state.head.get()
    }

    /// A value that changes whenever something has come into the ring: for edge-triggered reports. No gate needed.
    #[must_use]
    #[inline]
    pub fn mark(&self) -> u64 {
        self.inbox.load(TAIL) & TAIL_MASK
    }

    /// Bytes taken from the ring so far. No gate needed.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.state.head.get()
    }

    /// Whether the sender hinted that the kernel has news of the connection's end.
    #[must_use]
    #[inline]
    pub fn end_hinted(&self) -> bool {
        self.inbox.load(FIN) != 0
    }

    /// Whether the sender hinted that it resets the connection on purpose.
    #[must_use]
    pub fn reset_hinted(&self) -> bool {
        self.inbox.load(FIN) == End::Reset as u64
    }

    /// What is next. Completes moves that have been reached.
    ///
    /// # Errors
    /// A [`Lie`] of the peer's.
    #[inline]
    pub fn look(&self) -> Result<Next, Lie> {
        if self.is_plain_ring() { self.look_ring() } else { self.look_moves() }
    }

    /// On the VMMC road, and the sender has not left.
    #[inline(always)]
    fn is_plain_ring(&self) -> bool {
        let done = self.state.epoch.get();
        Road::of(done) == Road::Vmmc && self.inbox.load(EPOCH) == done
    }

    #[inline]
    fn look_ring(&self) -> Result<Next, Lie> {
        let (filled, _) = self.available()?;
        Ok(if filled > 0 { Next::Data(filled as usize) } else { Next::Empty { doorbells: self.doorbells() } })
    }

    #[inline(never)]
    fn look_moves(&self) -> Result<Next, Lie> {
        for _ in 0..MOVES_PER_LOOK {
            let announced = self.announced()?;
            let next = match self.state.road() {
                Road::Vmmc if announced == self.state.epoch.get() => return self.look_ring(),
                Road::Vmmc => self.look_left()?,
                Road::Kernel => self.look_kernel(announced)?,
            };
            if let Some(next) = next {
                return Ok(next);
            }
        }
        Err(Lie::Index)
    }

    /// On the kernel road: the stash first, then the kernel up to an announced switch, then the switch itself.
    fn look_kernel(&self, announced: u64) -> Result<Option<Next>, Lie> {
        let stashed = self.state.stash_len.get();
        if stashed > 0 {
            return Ok(Some(Next::Data(stashed as usize)));
        }
        if announced == self.state.epoch.get() {
            let limit = if self.state.is_ready() { STASH_MAX } else { usize::MAX };
            return Ok(Some(Next::Kernel { limit }));
        }
        let (at, kernel) = (self.inbox.load(SWITCH_AT), self.state.kernel.get());
        if at < kernel {
            return Err(Lie::Index);
        }
        if at > kernel {
            return Ok(Some(Next::Kernel { limit: usize::try_from(at - kernel).unwrap_or(STASH_MAX).min(STASH_MAX) }));
        }
        self.begin_ring(at);
        Ok(None)
    }

    /// The sender has left: its ring bytes first, then the doorbells that are still to come, then the leave itself.
    fn look_left(&self) -> Result<Option<Next>, Lie> {
        let unread = self.unread_at_leave()?;
        if unread > 0 {
            return Ok(Some(Next::Data(unread as usize)));
        }
        let (resume, kernel) = (self.resume_at()?, self.state.kernel.get());
        if kernel < resume {
            return Ok(Some(Next::Kernel { limit: (resume - kernel) as usize }));
        }
        self.complete();
        Ok(None)
    }

    pub(crate) fn unread_at_leave(&self) -> Result<u64, Lie> {
        let unread = self.inbox.load(LEAVE_AT).wrapping_sub(self.state.head.get());
        if unread > self.available()?.0 { Err(Lie::Index) } else { Ok(unread) }
    }

    pub(crate) fn resume_at(&self) -> Result<u64, Lie> {
        let resume = self.inbox.load(RESUME_AT);
        let doorbells = resume.wrapping_sub(self.state.switch_at.get());
        if doorbells > u64::from(u32::MAX) { Err(Lie::Index) } else { Ok(resume) }
    }

    /// The ring's last `unread` bytes are next on the kernel road: they are left where they are.
    pub(crate) fn give_ring_up(&self, unread: u64) {
        self.state.head.set_release(self.state.head.get() + unread);
        self.complete();
    }

    fn begin_ring(&self, at: u64) {
        self.state.switch_at.set(at);
        self.complete();
    }

    /// Completes the next epoch and says so, with the credit that the sender's next decision needs.
    fn complete(&self) {
        let epoch = self.state.epoch.get() + 1;
        self.state.epoch.set(epoch);
        self.give_credit();
        self.tell(RECEIVED, self.state.kernel.get());
        self.tell(ACK, epoch);
    }

    /// Whether an announced doorbell has still to be received: it wakes whoever sleeps in the kernel. No gate needed.
    #[must_use]
    #[inline(always)]
    pub fn is_rung(&self) -> bool {
        self.doorbells() > 0
    }

    /// How many announced doorbells have still to be received on the VMMC road. No gate needed.
    #[must_use]
    #[inline(always)]
    pub fn doorbells(&self) -> usize {
        let received = self.state.kernel.get().wrapping_sub(self.state.switch_at.get());
        self.inbox.load(RUNG).saturating_sub(received) as usize
    }

    /// Takes a message that stands inline, if it is all there is and fits into `dst`: how many bytes. `None`: nothing was
    /// taken, and [`Receiver::look`] says what is next.
    #[inline(always)]
    pub fn take_short(&self, dst: &mut [u8]) -> Option<usize> {
        // One comparison for all words of both slots; they lie in front of the ring.
        if self.inbox.len() < RING || self.peer.len() < RING || !self.is_plain_ring() {
            return None;
        }
        let word = self.inbox.load(TAIL);
        let n = (word >> 56) as usize;
        let is_all = (word & TAIL_MASK).wrapping_sub(self.state.head.get()) == n as u64;
        let is_true = n != 0 && n <= INLINE_MAX && n as u64 <= self.state.capacity.get();
        let dst = dst.get_mut(..n).filter(|_| is_all && is_true)?;
        if !self.inbox.read(INLINE, dst) {
            return None;
        }
        self.consume(n as u64);
        Some(n)
    }

    /// Takes up to `dst.len()` bytes in order; 0 if there are none (see [`Receiver::look`] for why).
    ///
    /// # Errors
    /// A [`Lie`] of the peer's.
    #[inline]
    pub fn take(&self, dst: &mut [u8]) -> Result<usize, Lie> {
        if let Some(n) = self.take_short(dst) {
            return Ok(n);
        }
        // A large take is made in pieces, so that the sender gets credit while the receiver still copies.
        let piece = (self.window() as usize / 4).max(1);
        let mut done = 0;
        while let Some(rest) = dst.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let len = rest.len().min(piece);
            let n = self.peek(0, rest.get_mut(..len).unwrap_or_default())?;
            self.consume(n as u64);
            done += n;
            if n < len {
                break;
            }
        }
        Ok(done)
    }

    /// Copies up to `dst.len()` bytes that stand `skip` bytes ahead and leaves them where they are.
    ///
    /// # Errors
    /// A [`Lie`] of the peer's.
    #[inline]
    pub fn peek(&self, skip: usize, dst: &mut [u8]) -> Result<usize, Lie> {
        let (available, inline) = if self.is_plain_ring() { self.available()? } else { (self.look_data()?, 0) };
        let n = (available as usize).saturating_sub(skip).min(dst.len());
        let Some(dst) = dst.get_mut(..n) else { return Ok(0) };
        if self.state.road() == Road::Kernel {
            let at = stash(self.state.capacity.get() as usize) + self.state.stash_at.get() as usize + skip;
            return Ok(if self.inbox.read(at, dst) { n } else { 0 });
        }
        if skip == 0 && n <= INLINE_MAX && n as u64 == inline {
            return Ok(if self.inbox.read(INLINE, dst) { n } else { 0 });
        }
        self.copy_ring(self.state.head.get().wrapping_add(skip as u64), dst);
        Ok(n)
    }

    /// The bytes of [`Next::Data`], else 0.
    fn look_data(&self) -> Result<u64, Lie> {
        Ok(if let Next::Data(n) = self.look_moves()? { n as u64 } else { 0 })
    }

    /// The part of the ring that the sender uses: a power of two, never more than the ring, whatever the peer says. It was
    /// told before the bytes that stand in it.
    #[inline(always)]
    fn window(&self) -> u64 {
        let capacity = self.state.capacity.get().max(1);
        let window = self.inbox.load(WINDOW);
        if window.is_power_of_two() { window.min(capacity) } else { capacity }
    }

    #[inline]
    pub(crate) fn copy_ring(&self, from: u64, dst: &mut [u8]) {
        let window = self.window() as usize;
        let at = from as usize & (window - 1);
        let (first, wrapped) = dst.split_at_mut(dst.len().min(window - at));
        let _ = self.inbox.read(RING + at, first);
        if !wrapped.is_empty() {
            let _ = self.inbox.read(RING, wrapped);
        }
    }

    /// `n` bytes have been delivered. Credit goes back a quarter ring at a time; smaller sums travel with the next put. But
    /// while a doorbell may be under way each sum is told at once: should this end's process die before it takes the doorbell,
    /// the kernel says reset, and only the credit tells the sender that nothing was lost.
    #[inline(always)]
    fn consume(&self, n: u64) {
        if self.state.road() == Road::Kernel {
            self.state.stash_at.set(self.state.stash_at.get() + n);
            self.state.stash_len.set(self.state.stash_len.get() - n);
            return;
        }
        let head = self.state.head.get() + n;
        // SYNC POINT "bytes copied before credit": the Acquire load is in `Sender::publish`.
        self.state.head.set_release(head);
        let untold = head - self.state.credit.get();
        let emptied = untold >= EMPTIED_LEAST && self.inbox.load(TAIL) & TAIL_MASK == head;
        let may_be_rung = self.state.armed.get() & 1 == 1 || self.is_rung();
        if emptied || may_be_rung || untold >= self.window() / 4 {
            self.give_credit();
        }
    }

    /// Tells all that has been consumed. Only the receiver writes this word and `state.credit`; what its own sender tells
    /// along stands in another word, so neither can take the other's back.
    #[inline(never)]
    fn give_credit(&self) {
        let head = self.state.head.get();
        if head != self.state.credit.get() {
            self.state.credit.set(head);
            self.tell(CREDIT, head);
        }
    }

    /// Asks for a doorbell at the next change. Afterwards look again: the full fence pairs with `Sender::must_ring`.
    pub fn arm(&self) {
        let word = (self.state.armed.get() & !1) + 3;
        self.state.armed.set(word);
        self.give_credit();
        self.tell(ARMED, word);
        fence(Ordering::SeqCst);
    }

    /// No doorbell is needed any more. One may be under way all the same, so the sender hears what has been consumed.
    pub fn disarm(&self) {
        self.give_credit();
        let word = self.state.armed.get();
        if word & 1 == 1 {
            self.state.armed.set(word & !1);
            self.tell(ARMED, word & !1);
        }
    }

    /// Says whether this end honours a switch. It honours one that is under way in any case.
    pub fn set_ready(&self, ready: bool) {
        self.state.ready.set(u64::from(ready) | self.state.ready.get());
        self.tell(RECEIVED, self.state.kernel.get());
        self.tell(READY, u64::from(ready));
    }

    /// The kernel delivered `buf`. Returns how many of its first bytes are data for the application now; doorbells are
    /// dropped, and data that follows a move is kept back for its turn.
    ///
    /// # Errors
    /// A [`Lie`] of the peer's; `StrangerByte` if a byte is neither data nor an announced doorbell.
    pub fn from_kernel(&self, buf: &[u8]) -> Result<usize, Lie> {
        let from = self.state.kernel.get();
        let to = from + buf.len() as u64;
        let announced = self.announced()?;
        let mut data = 0;
        if self.state.road() == Road::Kernel {
            let at = if announced == self.state.epoch.get() { u64::MAX } else { self.inbox.load(SWITCH_AT) };
            if at < from {
                return Err(Lie::Index);
            }
            if to <= at {
                self.state.kernel.set(to);
                if self.state.is_ready() {
                    self.tell(RECEIVED, to);
                }
                return Ok(buf.len());
            }
            data = (at - from) as usize;
            self.state.kernel.set(at);
            self.begin_ring(at);
        }
        self.drop_doorbells(announced, buf, to)?;
        Ok(data)
    }

    /// `buf` ends at kernel count `to`, and the bytes from this end's position on lie behind a switch.
    fn drop_doorbells(&self, announced: u64, buf: &[u8], to: u64) -> Result<(), Lie> {
        let left = announced != self.state.epoch.get();
        let end =
            if left { self.resume_at()? } else { self.state.switch_at.get().saturating_add(self.inbox.load(RUNG)) };
        if self.state.kernel.get() < to.min(end) {
            // A doorbell has come: whatever asked for it has been answered.
            self.state.armed.set(self.state.armed.get() & !1);
        }
        self.state.kernel.set(to);
        if to <= end {
            return Ok(());
        }
        if !left {
            return Err(Lie::StrangerByte);
        }
        let kept = buf.get(buf.len().saturating_sub((to - end) as usize)..).unwrap_or_default();
        let capacity = self.state.capacity.get() as usize;
        let at = self.state.stash_at.get() as usize + self.state.stash_len.get() as usize;
        let at = if self.state.stash_len.get() == 0 { 0 } else { at };
        if at + kept.len() > STASH_MAX || !self.inbox.keep(stash(capacity) + at, kept) {
            return Err(Lie::Index);
        }
        if at == 0 {
            self.state.stash_at.set(0);
        }
        self.state.stash_len.set(self.state.stash_len.get() + kept.len() as u64);
        Ok(())
    }
}
