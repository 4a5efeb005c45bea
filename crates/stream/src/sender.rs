use crate::layout::{
    ACK, AGAIN, ARMED, BUSY, CREDIT, CREDIT_ALONG, EPOCH, FIN, HELD, HELD_AT, HOLD_SEEN, INLINE, INLINE_MAX, LEAVE_AT,
    READY, RECEIVED, REFUSED, RELEASED, RESUME_AT, RETAKEN, RETRACT, RETURNED, RING, RUNG, SWITCH_AT, TAIL, WINDOW,
    returns, returns_len,
};
use crate::{End, Lie, RecvState, Road, SendState};
use vmmc_contract::{Export, Import};
use vmmc_sync::{Ordering, fence};

/// A large put is published in pieces of this many bytes, so that the receiver copies while the sender still does.
const PIECE: usize = 16 * 1024;
/// A put of at least this part of the ring is a large one (8 KiB of 2 MiB).
const LARGE_PART: u64 = 256;
/// Large puts of a stream that has filled its window so many times are bulk data, which may have a wider one: while the receiver
/// keeps up nothing ever fails to fit, and yet each line has to be fetched out of the other processor's own cache.
const BULK_WINDOWS: u64 = 64;

/// X's half of the stream X→Y: used by one thread at a time, the holder of the send gate.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a, E, I> {
    state: &'a SendState,
    /// This end's position in the opposite stream, whose credit travels along.
    opposite: &'a RecvState,
    inbox: E,
    peer: I,
}

impl<'a, E: Export, I: Import> Sender<'a, E, I> {
    /// `inbox` is this end's own slot (the peer writes it), `peer` the other end's slot.
    #[inline(always)]
    pub const fn new(state: &'a SendState, opposite: &'a RecvState, inbox: E, peer: I) -> Self {
        Self { state, opposite, inbox, peer }
    }

    /// Writes a word at the peer. A revoked import loses it; the kernel socket then says what became of the connection.
    #[inline(always)]
    fn tell(&self, at: usize, value: u64) {
        let _ = self.peer.store(at, value);
    }

    /// The highest credit that the peer has told, by whichever of its two threads.
    #[inline]
    fn credit(&self) -> Result<u64, Lie> {
        let credit = self.inbox.load(CREDIT_ALONG).max(self.inbox.load(CREDIT));
        if credit > self.state.tail.get() {
            return Err(Lie::Index);
        }
        self.state.credit.set(credit);
        Ok(credit)
    }

    /// Bytes that the ring has room for. A window that has become too narrow has none until it is empty and can widen.
    ///
    /// # Errors
    /// `Lie::Index` if the peer claims to have consumed more than was put.
    #[inline]
    pub fn room(&self) -> Result<usize, Lie> {
        let filled = self.state.tail.get() - self.credit()?;
        let narrow = self.state.narrow.get() != 0 && filled > 0;
        Ok(if narrow { 0 } else { self.state.window.get().saturating_sub(filled) as usize })
    }

    /// A message has come, and this end has received nothing since its last put: the two take turns, so an answer is about to be
    /// put. Whatever its place takes to be ready passes while the message is being received. No gate needed.
    #[inline(always)]
    pub fn foresee_answer(&self) {
        if self.state.along.get() == self.opposite.head.get() {
            self.peer.foresee(TAIL);
        }
    }

    /// Puts a message that fits inline into an empty ring and publishes it, if nothing at all is in its way. `false`: nothing
    /// was put, and [`Sender::put`] says why.
    #[inline(always)]
    pub fn put_short(&self, src: &[u8]) -> bool {
        let tail = self.state.tail.get();
        // One comparison for all words of both slots; they lie in front of the ring.
        if self.inbox.len() < RING || self.peer.len() < RING || src.len() > INLINE_MAX || src.is_empty() {
            return false;
        }
        let empty = self.inbox.load(CREDIT_ALONG).max(self.inbox.load(CREDIT)) == tail;
        let fits = self.state.narrow.get() == 0 && src.len() as u64 <= self.state.window.get();
        if !empty || !fits || self.state.owes_return() || self.is_retracted() || self.state.road() == Road::Kernel {
            return false;
        }
        self.state.credit.set(tail);
        self.place(src);
        // SYNC POINT "bytes copied before credit", as in `publish`.
        let head = self.opposite.head.get_acquire();
        let tail = tail + src.len() as u64;
        self.state.along.set(head);
        self.state.tail.set(tail);
        // The receiver looks at this line all the time: whatever comes between the first store and the last gives it time to
        // take the line away, and then it travels twice.
        let _ = self.peer.write(INLINE, src);
        self.tell(CREDIT_ALONG, head);
        // SYNC POINT "ring bytes visible in take", as in `publish`.
        self.tell(TAIL, tail | (src.len() as u64) << 56);
        true
    }

    /// Puts as much of `src` into the ring as there is room for, and publishes it. 0: the ring is full, or the stream is
    /// on the kernel road.
    ///
    /// # Errors
    /// As [`Sender::room`].
    #[inline]
    pub fn put(&self, src: &[u8]) -> Result<usize, Lie> {
        if self.put_short(src) {
            return Ok(src.len());
        }
        if self.state.road() == Road::Kernel {
            return Ok(0);
        }
        let mut room = self.room()?;
        let (window, capacity) = (self.state.window.get(), self.state.capacity.get());
        let is_bulk = src.len() as u64 >= capacity / LARGE_PART && self.state.tail.get() / BULK_WINDOWS >= window;
        if (src.len() > room || self.state.narrow.get() != 0 || is_bulk) && window < capacity {
            room = self.widen(src.len(), room);
        }
        let src = src.get(..room).unwrap_or(src);
        for piece in src.chunks(PIECE) {
            self.place(piece);
            self.publish(piece.len());
        }
        Ok(src.len())
    }

    /// `len` bytes do not fit into the window, or are bulk data, and the ring is larger: the window widens once it is empty. The
    /// room then.
    #[cold]
    fn widen(&self, len: usize, room: usize) -> usize {
        if self.state.credit.get() != self.state.tail.get() {
            self.state.narrow.set(u64::from(room == 0));
            return room;
        }
        let capacity = self.state.capacity.get();
        let wanted = (2 * capacity.min(len as u64)).next_power_of_two().max(4 * self.state.window.get());
        let window = wanted.min(capacity);
        self.state.narrow.set(0);
        self.state.window.set(window);
        self.tell(WINDOW, window);
        window as usize
    }

    /// Copies `src` (no longer than the room) to where the tail stands; nobody is told yet.
    #[inline(always)]
    fn place(&self, src: &[u8]) {
        let window = self.state.window.get();
        let at = (self.state.tail.get() & window.wrapping_sub(1)) as usize;
        let before_end = window as usize - at;
        if src.len() <= before_end {
            let _ = self.peer.write(RING + at, src);
        } else {
            let (first, wrapped) = src.split_at(before_end);
            let _ = self.peer.write(RING + at, first);
            let _ = self.peer.write(RING, wrapped);
        }
    }

    /// SYNC POINT "ring bytes visible in take": the tail's Release store; its Acquire load is in `Receiver::available`.
    #[inline(always)]
    fn publish(&self, n: usize) {
        // SYNC POINT "bytes copied before credit": the Release store is in `Receiver::consume`, perhaps another thread's.
        let head = self.opposite.head.get_acquire();
        if head != self.state.along.get() {
            self.state.along.set(head);
            self.tell(CREDIT_ALONG, head);
        }
        let tail = self.state.tail.get() + n as u64;
        self.state.tail.set(tail);
        self.tell(TAIL, tail);
    }

    /// After a put: whether a doorbell is owed, because the receiver has asked to be rung or because none has been sent
    /// since the switch (the receiver may be asleep and not have armed). It stays owed until one is sent. The full fence
    /// pairs with the one in `Receiver::arm`: either the receiver's second look sees the tail, or this look sees it armed.
    #[inline]
    pub fn must_ring(&self) -> bool {
        fence(Ordering::SeqCst);
        let armed = self.inbox.load(ARMED);
        let asked = armed & 1 == 1 && armed != self.state.rung_for.get();
        (asked || self.state.rung.get() == 0) && self.state.road() == Road::Vmmc
    }

    /// Accounts for `count` doorbells, usually one. Call it on the VMMC road, before the bytes are sent on the kernel road.
    pub fn ringing(&self, count: u64) {
        self.state.rung_for.set(self.inbox.load(ARMED));
        let rung = self.state.rung.get() + count;
        self.state.rung.set(rung);
        self.state.kernel.add(count);
        self.tell(RUNG, rung);
    }

    /// Takes the account of [`Sender::ringing`] back for `count` bytes, one or more: the kernel did not take them. The doorbell is
    /// still owed.
    pub fn not_rung(&self, count: u64) {
        self.state.rung_for.set(0);
        let rung = self.state.rung.get().saturating_sub(count);
        self.state.rung.set(rung);
        self.state.kernel.set(self.state.kernel.get().saturating_sub(count));
        self.tell(RUNG, rung);
    }

    /// Whether the receiver honours a switch now and has completed all earlier moves.
    #[must_use]
    pub fn may_switch(&self) -> bool {
        let epoch = self.state.epoch.get();
        self.state.capacity.get() != 0
            && Road::of(epoch) == Road::Kernel
            && self.inbox.load(READY) == 1
            && self.inbox.load(ACK) == epoch
            && !self.state.owes_return()
    }

    /// Kernel-road bytes that the receiver has not yet said it received.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.state.kernel.get().saturating_sub(self.inbox.load(RECEIVED))
    }

    /// Whether the receiver says that it received more on the kernel road than this end counts: somebody sends past it.
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        self.inbox.load(RECEIVED) > self.state.kernel.get()
    }

    /// Moves the stream to the ring from the next byte on, and says whether it did: a receiver that stops honouring
    /// switches meanwhile finds either this switch or, if it missed it, an empty one. The caller has checked
    /// [`Sender::may_switch`] and the kernel's counts, and rings once after the next put whether or not the receiver is
    /// armed (see [`Sender::must_ring`]).
    pub fn switch(&self) -> bool {
        let at = self.state.kernel.get();
        self.state.switch_at.set(at);
        self.state.rung.set(0);
        self.tell(WINDOW, self.state.window.get());
        self.tell(SWITCH_AT, at);
        self.tell(RUNG, 0);
        self.advance();
        // Pairs with the fence in `Receiver::retract`: either that look sees the switch, or this one sees it withdrawn.
        fence(Ordering::SeqCst);
        if self.inbox.load(READY) != 1 {
            self.leave();
        }
        self.state.road() == Road::Vmmc
    }

    /// Moves the stream back to the kernel road from the next byte on; no effect if it is there. A doorbell that is owed
    /// should be sent before: afterwards only data wakes the receiver.
    pub fn leave(&self) {
        self.leave_again(0);
    }

    /// As [`Sender::leave`]. The ring's last `again` bytes have just been sent as doorbells, in their order: a receiver that must
    /// give the ring up, and whose sender is gone by then, finds them on the kernel road.
    pub fn leave_again(&self, again: u64) {
        if self.state.road() == Road::Vmmc {
            self.tell(AGAIN, again);
            self.tell(RESUME_AT, self.state.switch_at.get() + self.state.rung.get());
            self.tell(LEAVE_AT, self.state.tail.get());
            self.advance();
        }
    }

    /// SYNC POINT "a move's words visible": the epoch's Release store; its Acquire load is in `Receiver::announced`.
    fn advance(&self) {
        let epoch = self.state.epoch.get() + 1;
        self.state.epoch.set(epoch);
        self.tell(EPOCH, epoch);
    }

    /// Whether the receiver asks for the stream back and has not been answered.
    #[must_use]
    #[inline]
    pub fn is_retracted(&self) -> bool {
        self.inbox.load(RETRACT) != self.state.answered.get()
    }

    /// Answers a retract: leaves, and sends nothing until the receiver has given back what it had not read and says so.
    /// With `can_hold` false it says that it cannot hold, because others write to the kernel road past this end.
    pub fn answer_retract(&self, can_hold: bool) {
        let asked = self.inbox.load(RETRACT);
        self.leave();
        self.state.answered.set(asked);
        if can_hold {
            // No byte is given back twice; some may have been already, while this end was busy.
            let ever_sent = self.state.tail.get() + self.state.kernel.get();
            self.state.awaited.set(asked);
            self.state.retaken_most.set(self.state.retaken.get() + ever_sent);
        }
        self.tell(HELD_AT, if can_hold { self.state.kernel.get() } else { REFUSED });
        // SYNC POINT "held": the Acquire load is in `Receiver::give_back`, before it looks at the moves.
        self.tell(HELD, asked);
    }

    /// Tells the receiver that its retract must wait for a kernel call of this end, which may itself wait for the receiver.
    /// Any thread; no gate needed.
    pub fn tell_busy(&self) {
        self.tell(BUSY, self.inbox.load(RETRACT));
    }

    /// Bytes that stand in the return area.
    fn returned(&self) -> Result<u64, Lie> {
        let end = self.inbox.load(RETURNED);
        let waiting = end.wrapping_sub(self.state.retaken.get());
        let length = returns_len(self.state.capacity.get() as usize) as u64;
        if waiting > length || end > self.state.retaken_most.get() { Err(Lie::Index) } else { Ok(waiting) }
    }

    /// Whether the stream goes on: the receiver has given back all that it had, and that has been sent (or nothing was ever
    /// awaited). If not, [`Sender::next_return`] says what to send.
    ///
    /// # Errors
    /// `Lie::Index` if more is given back than can have been unread.
    pub fn is_released(&self) -> Result<bool, Lie> {
        let awaited = self.state.awaited.get();
        // SYNC POINT "released": all that was given back was told before; the Release store is in `Receiver::release`.
        if awaited != 0 && (self.inbox.load(RELEASED) != awaited || self.returned()? != 0) {
            return Ok(false);
        }
        self.state.awaited.set(0);
        Ok(true)
    }

    /// Copies the next given-back bytes into `buf`: how many (0: there are none now).
    ///
    /// # Errors
    /// As [`Sender::is_released`].
    pub fn next_return(&self, buf: &mut [u8]) -> Result<usize, Lie> {
        let awaited = self.state.awaited.get();
        if awaited == 0 || self.inbox.load(HOLD_SEEN) != awaited && self.inbox.load(RELEASED) != awaited {
            return Ok(0);
        }
        let capacity = self.state.capacity.get() as usize;
        let length = returns_len(capacity);
        let at = self.state.retaken.get() as usize & length.wrapping_sub(1);
        let n = (self.returned()? as usize).min(buf.len()).min(length.saturating_sub(at));
        let Some(buf) = buf.get_mut(..n) else { return Ok(0) };
        Ok(if self.inbox.read(returns(capacity) + at, buf) { n } else { 0 })
    }

    /// `n` of the bytes that [`Sender::next_return`] showed went down the kernel road.
    pub fn return_sent(&self, n: usize) {
        self.state.kernel.add(n as u64);
        self.state.retaken.set(self.state.retaken.get() + n as u64);
        // SYNC POINT "room to give back": the Acquire load is in `Receiver::room_to_give`.
        self.tell(RETAKEN, self.state.retaken.get());
    }

    /// Holds no longer, whatever the receiver has to give back: there is none any more.
    pub fn give_return_up(&self) {
        self.state.awaited.set(0);
    }

    /// Tells the receiver to ask the kernel soon: the socket has been shut down, or is about to be closed.
    pub fn hint_end(&self, end: End) {
        self.tell(FIN, end as u64);
    }

    /// As [`crate::Receiver::end_hinted`]: the peer has hinted that the kernel has news of the connection's end.
    #[must_use]
    #[inline(always)]
    pub fn is_end_hinted(&self) -> bool {
        self.inbox.load(FIN) != 0
    }

    /// Whether the peer has hinted that it sends no more, and receives still.
    #[must_use]
    pub fn is_half_closed(&self) -> bool {
        self.inbox.load(FIN) == End::Half as u64
    }

    /// Bytes of the ring that the receiver is known to have consumed, since the ring was made.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.state.credit.get()
    }

    /// How many of the bytes that were put the receiver has not said it consumed.
    ///
    /// # Errors
    /// As [`Sender::room`], and if the receiver takes back what it has said: more than a window is never unread.
    pub fn unread(&self) -> Result<u64, Lie> {
        let unread = self.state.tail.get() - self.credit()?;
        if unread > self.state.window.get() { Err(Lie::Index) } else { Ok(unread) }
    }

    /// Copies of the last `left` bytes that were put the first ones back into `buf`: how many. They are unread, as far as is known.
    #[must_use]
    pub fn read_back(&self, left: u64, buf: &mut [u8]) -> usize {
        let window = self.state.window.get();
        let at = self.state.tail.get().wrapping_sub(left) & window.wrapping_sub(1);
        let n = left.min(window - at).min(buf.len() as u64) as usize;
        let Some(buf) = buf.get_mut(..n) else { return 0 };
        if self.peer.read_back(RING + at as usize, buf) { n } else { 0 }
    }

    /// Whether what the receiver is not known to have received on the kernel road are doorbells, one at least, and nothing else. One
    /// that has left the ring has taken them all, or was left the last ones for data.
    #[must_use]
    pub fn only_doorbells_are_out(&self) -> bool {
        let epoch = self.state.epoch.get();
        let only_rung = epoch != 0 && self.state.kernel.get() == self.state.switch_at.get() + self.state.rung.get();
        let has_followed = Road::of(epoch) == Road::Kernel && self.inbox.load(ACK) == epoch;
        only_rung && !has_followed && self.lag() > 0
    }

    /// Whether the receiver has consumed all that was put (as far as it has said).
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.credit() == Ok(self.state.tail.get())
    }
}
