//! What stands behind the next move, for a program that asks how much there is, or looks without taking.
use crate::layout::{LEAVE_AT, SWITCH_AT};
use crate::{Lie, Receiver, Road};
use vmmc_contract::{Export, Import};

/// How the bytes go on that can be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// On the road where they are.
    Same,
    /// After so many bytes of the kernel road with so many in the ring.
    Ring {
        /// Bytes that the kernel road has yet to deliver before.
        after: u64,
        /// Bytes in the ring.
        bytes: u64,
    },
    /// After what is in memory on the kernel road, behind so many doorbells.
    Kernel {
        /// Doorbells that stand in the kernel's queue before its data.
        doorbells: u64,
    },
}

impl<E: Export, I: Import> Receiver<'_, E, I> {
    /// What is behind the bytes of the present road. Of the moves that the sender has announced the next one alone is looked at.
    ///
    /// # Errors
    /// A [`Lie`] of the peer's.
    pub fn ahead(&self) -> Result<Ahead, Lie> {
        let announced = self.announced()?.wrapping_sub(self.state.epoch.get());
        if self.state.road() == Road::Vmmc {
            let left = announced != 0;
            let doorbells = if left { self.resume_at()?.saturating_sub(self.state.kernel.get()) } else { 0 };
            return Ok(if left { Ahead::Kernel { doorbells } } else { Ahead::Same });
        }
        if self.state.stash_len.get() != 0 {
            return Ok(if announced == 0 { Ahead::Kernel { doorbells: 0 } } else { Ahead::Same });
        }
        if announced == 0 {
            return Ok(Ahead::Same);
        }
        let after = self.inbox.load(SWITCH_AT).checked_sub(self.state.kernel.get()).ok_or(Lie::Index)?;
        let filled = self.available()?.0;
        let until_leave = self.inbox.load(LEAVE_AT).wrapping_sub(self.state.head.get());
        Ok(Ahead::Ring { after, bytes: if announced == 1 { filled } else { filled.min(until_leave) } })
    }

    /// Copies up to `dst.len()` of the bytes of [`Ahead::Ring`], without the first `skip`, and leaves them where they are.
    ///
    /// # Errors
    /// A [`Lie`] of the peer's.
    pub fn peek_ahead(&self, skip: usize, dst: &mut [u8]) -> Result<usize, Lie> {
        let Ahead::Ring { bytes, .. } = self.ahead()? else { return Ok(0) };
        let n = (bytes as usize).saturating_sub(skip).min(dst.len());
        self.copy_ring(self.state.head.get().wrapping_add(skip as u64), dst.get_mut(..n).unwrap_or_default());
        Ok(n)
    }
}
