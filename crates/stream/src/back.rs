//! A receiver gives back what it has not read, so that the kernel road alone carries the stream.
//!
//! It asks the sender to hold (a *retract*), reads what it would have read in any case, in the same order, up to the
//! kernel-road count at which the sender holds, and writes it into the sender's return area; the sender puts it on the kernel
//! road behind everything else, and only then anything new. So it does not matter which road the unread bytes were on.
use crate::layout::{
    AGAIN, BUSY, HELD, HELD_AT, HOLD_SEEN, REFUSED, RELEASED, RETAKEN, RETRACT, RETURNED, returns, returns_len,
};
use crate::{Lie, Next, Receiver, Road};
use vmmc_contract::{Export, Import};
use vmmc_sync::{Ordering, fence};

/// Bytes are given back in pieces of so many: a thread may have little stack.
const PIECE: usize = 1024;

/// What a receiver that gives back has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// All is given back: nothing unread is left here, and nothing but data in the kernel.
    Done,
    /// The sender has not answered yet, or must first make room: come again.
    Wait,
    /// Read at most `limit` bytes from the kernel in one call and pass them to [`Receiver::give_back_from_kernel`].
    Kernel {
        /// Most bytes that may be read in one call.
        limit: usize,
    },
    /// The sender cannot hold. Nothing has been given back, unless it was busy before.
    Refused,
}

impl<E: Export, I: Import> Receiver<'_, E, I> {
    /// Asks for the stream back: `true` if there is something to be taken back, and [`Receiver::give_back`] is then to be called
    /// until it says it is done. The peer is notified; called again, it is notified again.
    ///
    /// # Errors
    /// A [`Lie`] of the peer's.
    pub fn retract(&self) -> Result<bool, Lie> {
        self.set_ready(false);
        // Pairs with the fence in `Sender::switch`: either this look sees the switch, or that one sees it withdrawn.
        fence(Ordering::SeqCst);
        if !self.is_retracting() {
            if matches!(self.look()?, Next::Kernel { .. }) && self.is_plain()? {
                return Ok(false);
            }
            self.state.given.set(0);
            self.state.retracts.set(self.state.retracts.get() + 1);
        }
        self.tell(RETRACT, self.state.retracts.get());
        let _ = self.peer.notify();
        Ok(true)
    }

    /// Whether the kernel's queue holds all that is unread, since the sender has left and sent it again: behind so many bytes, which
    /// are to be dropped before. With none of them left (0) the ring is given up, and the kernel road alone carries the stream.
    ///
    /// # Errors
    /// A [`Lie`] of the peer's.
    pub fn follow_again(&self) -> Result<Option<usize>, Lie> {
        let _ = self.look()?;
        if self.state.road() == Road::Kernel || self.announced()? == self.state.epoch.get() {
            return Ok(None);
        }
        let unread = self.unread_at_leave()?;
        let begins = self.resume_at()?.checked_sub(unread).filter(|_| unread <= self.inbox.load(AGAIN));
        let before = begins.and_then(|begins| begins.checked_sub(self.state.kernel.get()));
        if before == Some(0) {
            self.give_ring_up(unread);
        }
        Ok(before.map(|before| before as usize))
    }

    fn is_retracting(&self) -> bool {
        self.state.retracts.get() != self.state.released.get()
    }

    /// All moves are completed, and the kernel road carries the rest. ([`Receiver::look`] found nothing stashed.)
    fn is_plain(&self) -> Result<bool, Lie> {
        Ok(self.state.road() == Road::Kernel && self.announced()? == self.state.epoch.get())
    }

    /// After a retract: gives back as much as there is room for, and says what to do next.
    ///
    /// # Errors
    /// A [`Lie`] of the peer's.
    pub fn give_back(&self) -> Result<Back, Lie> {
        let number = self.state.retracts.get();
        if !self.is_retracting() {
            return Ok(Back::Done);
        }
        // SYNC POINT "held": the Release store is in `Sender::answer_retract`; the moves that are seen from here on are its last.
        let is_held = self.inbox.load(HELD) == number;
        let held_at = if is_held { self.inbox.load(HELD_AT) } else { u64::MAX };
        let is_refused = is_held && held_at == REFUSED;
        if is_held && !is_refused {
            self.tell(HOLD_SEEN, number);
        }
        let may_read = is_held || self.inbox.load(BUSY) == number;
        loop {
            match self.look()? {
                Next::Empty { .. } if !is_held => return Ok(Back::Wait),
                Next::Empty { .. } => return Err(Lie::Index),
                Next::Data(_) if is_refused => return Ok(Back::Refused),
                Next::Data(_) if !may_read => return Ok(Back::Wait),
                Next::Data(unread) => {
                    let n = unread.min(self.room_to_give()?);
                    if n == 0 {
                        return Ok(Back::Wait);
                    }
                    self.give_unread(n)?;
                }
                Next::Kernel { limit } => {
                    let left = held_at.checked_sub(self.state.kernel.get()).ok_or(Lie::Index)?;
                    return Ok(match self.give_kernel(limit, left)? {
                        // Doorbells are nobody's, whatever the sender says.
                        Back::Kernel { limit } if self.state.road() == Road::Vmmc => Back::Kernel { limit },
                        next if next == Back::Done || may_read && !is_refused => next,
                        _ if is_refused => Back::Refused,
                        _ => Back::Wait,
                    });
                }
            }
        }
    }

    /// The kernel road is next, and at most `left` bytes of it are to be read.
    fn give_kernel(&self, limit: usize, left: u64) -> Result<Back, Lie> {
        if self.is_plain()? && (left == 0 || self.state.given.get() == 0) {
            self.release();
            return Ok(Back::Done);
        }
        let limit = limit.min(usize::try_from(left).unwrap_or(limit));
        if limit == 0 {
            return Err(Lie::Index);
        }
        let room = if self.state.road() == Road::Vmmc { limit } else { self.room_to_give()? };
        Ok(if room == 0 { Back::Wait } else { Back::Kernel { limit: limit.min(room) } })
    }

    /// As [`Receiver::from_kernel`], but what is data is given back.
    ///
    /// # Errors
    /// A [`Lie`] of the peer's.
    pub fn give_back_from_kernel(&self, buf: &[u8]) -> Result<(), Lie> {
        let data = self.from_kernel(buf)?;
        self.give(buf.get(..data).unwrap_or_default());
        Ok(())
    }

    /// Whether anything has been given back since the last retract: it can then only be completed.
    #[must_use]
    pub fn has_given_back(&self) -> bool {
        self.state.given.get() != 0
    }

    /// Whether all that was given back has gone down the kernel road.
    #[must_use]
    pub fn is_sent_again(&self) -> bool {
        self.state.returned.get() == self.inbox.load(RETAKEN)
    }

    /// The retract is over. A sender that has not answered it yet then finds its answer.
    /// SYNC POINT "released": the Acquire load is in `Sender::is_released`.
    pub fn release(&self) {
        self.state.released.set(self.state.retracts.get());
        self.tell(RELEASED, self.state.retracts.get());
        let _ = self.peer.notify();
    }

    fn room_to_give(&self) -> Result<usize, Lie> {
        let length = returns_len(self.state.capacity.get() as usize) as u64;
        // SYNC POINT "room to give back": the Release store is in `Sender::return_sent`.
        let waiting = self.state.returned.get().wrapping_sub(self.inbox.load(RETAKEN));
        length.checked_sub(waiting).map(|room| room as usize).ok_or(Lie::Index)
    }

    #[inline(never)]
    fn give_unread(&self, n: usize) -> Result<(), Lie> {
        let (mut piece, mut left) = ([0; PIECE], n);
        while left > 0 {
            let taken = self.take(piece.get_mut(..left.min(PIECE)).unwrap_or_default())?;
            if taken == 0 {
                return Err(Lie::Index);
            }
            self.give(piece.get(..taken).unwrap_or_default());
            left -= taken;
        }
        Ok(())
    }

    /// There is room for `bytes`.
    fn give(&self, bytes: &[u8]) {
        let (area, length) = self.return_area();
        let at = self.state.returned.get() as usize & length.wrapping_sub(1);
        let (first, wrapped) = bytes.split_at(bytes.len().min(length.saturating_sub(at)));
        let _ = self.peer.write(area + at, first);
        if !wrapped.is_empty() {
            let _ = self.peer.write(area, wrapped);
        }
        let given = bytes.len() as u64;
        self.state.given.set(self.state.given.get() + given);
        self.state.returned.set(self.state.returned.get() + given);
        self.tell(RETURNED, self.state.returned.get());
    }

    fn return_area(&self) -> (usize, usize) {
        let capacity = self.state.capacity.get() as usize;
        (returns(capacity), returns_len(capacity))
    }
}
