//! Links: the memory between two processes, and which slots of it are in use.

use crate::offers::ClientId;
use crate::room::{Room, User};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use vmmc_os::{Descriptor, bell, memory};
use vmmc_protocol::message::Side;
use vmmc_protocol::slot::{self, Chunk};

/// The two exported segments of a link and the account of their slots.
///
/// When an end's process has gone, the link is dropped, whatever the other end still does with it: the memory lives as
/// long as somebody has it mapped, and is never wiped or used again, so that the survivor (or a child of the dead process)
/// can read what is left there.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) ends: [ClientId; 2],
    /// Who pays for what it costs in descriptors.
    users: [User; 2],
    bells: [Arc<Descriptor>; 2],
    chunks: Vec<Memory>,
    /// Slots that were in use and are wiped.
    free: BTreeSet<u32>,
    /// The first slot that never was in use.
    fresh: u32,
    /// Of each slot in use, which ends hold it.
    held: HashMap<u32, [bool; 2]>,
}

/// Neither memory nor a slot can be had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

#[derive(Debug)]
struct Memory {
    /// Each side's receive buffers.
    exports: [Arc<Descriptor>; 2],
    /// Which sides have been sent the descriptors.
    sent: [bool; 2],
}

/// A chunk's descriptors as one side gets them: its own memory, the peer's, its own bell, the peer's.
pub(crate) type Segment = [Arc<Descriptor>; 4];

impl Link {
    /// A link with each end's own bell, or a new one where an end has none of its own.
    ///
    /// # Errors
    /// The system's, or if a user has no room for it.
    pub(crate) fn new(
        ends: [ClientId; 2],
        users: [User; 2],
        [first, second]: [Option<Arc<Descriptor>>; 2],
        room: &mut Room,
    ) -> Result<Self, NoRoom> {
        let own_or_new = |own: Option<Arc<Descriptor>>| match own {
            Some(bell) => Ok(bell),
            None => bell::create().map(Descriptor::new).map(Arc::new).map_err(|_| NoRoom),
        };
        let bells = [own_or_new(first)?, own_or_new(second)?];
        take_for_both(room, users)?;
        Ok(Self { ends, users, bells, chunks: Vec::new(), free: BTreeSet::new(), fresh: 0, held: HashMap::new() })
    }

    /// The link is at its end, and so is what its users pay for it: a bell each, and a memory file each in every chunk.
    pub(crate) fn give_back(&self, room: &mut Room) {
        for user in self.users {
            room.give_back(user, 1 + self.chunks.len());
        }
    }

    /// Takes a slot, whose words are zero, for both ends.
    ///
    /// # Errors
    /// If the system has no memory to give, a user has no room, or the link has as many slots as a link can have.
    pub(crate) fn allocate(&mut self, room: &mut Room) -> Result<(u32, Chunk), NoRoom> {
        let slot = self.free.first().copied().unwrap_or(self.fresh);
        let chunk = Chunk::of(slot).ok_or(NoRoom)?;
        if chunk.number as usize == self.chunks.len() {
            let exports = [memory(chunk.len())?, memory(chunk.len())?];
            take_for_both(room, self.users)?;
            self.chunks.push(Memory { exports, sent: [false; 2] });
        }
        if !self.free.remove(&slot) {
            self.fresh += 1;
        }
        self.held.insert(slot, [true; 2]);
        Ok((slot, chunk))
    }

    /// The descriptors of a chunk, the first time that a side needs them.
    pub(crate) fn introduce(&mut self, chunk: &Chunk, side: Side) -> Option<Segment> {
        let (own, peer) = (side as usize, side.other() as usize);
        let memory = &mut self.chunks[chunk.number as usize];
        let is_new = !std::mem::replace(&mut memory.sent[own], true);
        let files = [&memory.exports[own], &memory.exports[peer], &self.bells[own], &self.bells[peer]];
        is_new.then(|| files.map(Arc::clone))
    }

    /// A side does not hold the slot any more. What it did not hold anyway is let pass. `unmapped`: it has not got the
    /// chunk's memory either.
    pub(crate) fn release(&mut self, slot: u32, side: Side, unmapped: bool) {
        let Some(held) = self.held.get_mut(&slot) else { return };
        held[side as usize] = false;
        let is_in_use = *held != [false; 2];
        let chunk = Chunk::of(slot).expect("only slots that there are are in use");
        let memory = &mut self.chunks[chunk.number as usize];
        if unmapped {
            memory.sent[side as usize] = false;
        }
        if is_in_use {
            return;
        }
        self.held.remove(&slot);
        // A slot that cannot be wiped is not used again.
        if memory.exports.iter().all(|file| wipe(file, &chunk, slot).is_ok()) {
            self.free.insert(slot);
        }
    }
}

/// A descriptor at each end's expense.
fn take_for_both(room: &mut Room, [first, second]: [User; 2]) -> Result<(), NoRoom> {
    if !room.take(first, 1) {
        return Err(NoRoom);
    }
    if !room.take(second, 1) {
        room.give_back(first, 1);
        return Err(NoRoom);
    }
    Ok(())
}

/// Makes a memory file of `len` zero bytes, of which none takes up memory yet, and whose length is fixed for good.
fn memory(len: usize) -> Result<Arc<Descriptor>, NoRoom> {
    memory::create_sealed(c"vmmc-link", len).map(Descriptor::new).map(Arc::new).map_err(|_| NoRoom)
}

/// Makes a slot's words zero, and gives its pages back to the system as far as that takes them.
fn wipe(file: &Descriptor, chunk: &Chunk, slot: u32) -> Result<(), vmmc_os::Errno> {
    memory::wipe(file.number(), chunk.offset(slot), slot::size(chunk.capacity), slot::WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Room {
        Room::new(100, false)
    }

    fn link(ends: [ClientId; 2], bells: [Option<Arc<Descriptor>>; 2]) -> Link {
        Link::new(ends, [None, None], bells, &mut room()).unwrap()
    }

    /// What the words at `offset` are, after `put` has been written there.
    fn word(memory: &Descriptor, offset: usize, put: Option<u64>) -> u64 {
        let mapped = vmmc_shm::Segment::map(memory.number()).unwrap();
        if let Some(word) = put {
            vmmc_contract::Import::store(&mapped.import(0, mapped.len()).unwrap(), offset, word).unwrap();
        }
        vmmc_contract::Export::load(&mapped.export(0, mapped.len()).unwrap(), offset)
    }

    #[test]
    fn a_slot_is_used_again_when_both_ends_have_released_it_and_is_zero_then() {
        let mut link = link([1, 2], [None, None]);
        let (slot, chunk) = link.allocate(&mut room()).unwrap();
        let [own, peer, ..] = link.introduce(&chunk, Side::First).unwrap();
        word(&own, chunk.offset(slot), Some(1));
        word(&peer, chunk.offset(slot) + slot::WORDS - 8, Some(2));
        assert_eq!(word(&own, chunk.offset(slot), None), 1);

        link.release(slot, Side::First, false);
        link.release(slot, Side::First, false);
        assert_eq!(link.allocate(&mut room()).unwrap().0, 1, "the other end still holds slot 0");
        link.release(slot, Side::Second, false);
        assert_eq!(link.allocate(&mut room()).unwrap().0, 0);
        for at in [0, slot::WORDS - 8] {
            assert_eq!((word(&own, at, None), word(&peer, at, None)), (0, 0));
        }
    }

    #[test]
    fn each_side_gets_a_chunk_once_mirrored_and_again_after_it_could_not_map_it() {
        let mut link = link([1, 2], [None, None]);
        let (slot, chunk) = link.allocate(&mut room()).unwrap();
        let first = link.introduce(&chunk, Side::First).unwrap();
        let second = link.introduce(&chunk, Side::Second).unwrap();
        assert!(Arc::ptr_eq(&first[0], &second[1]) && Arc::ptr_eq(&first[1], &second[0]));
        assert!(Arc::ptr_eq(&first[2], &second[3]) && Arc::ptr_eq(&first[3], &second[2]));
        assert!(link.introduce(&chunk, Side::First).is_none());
        link.release(slot, Side::First, true);
        assert!(link.introduce(&chunk, Side::First).is_some());
        assert!(link.introduce(&chunk, Side::Second).is_none());
    }

    #[test]
    fn an_end_s_own_bell_is_the_one_that_its_peer_rings() {
        let own = Arc::new(Descriptor::new(bell::create().unwrap()));
        let mut link = link([1, 2], [Some(Arc::clone(&own)), None]);
        let (_, chunk) = link.allocate(&mut room()).unwrap();
        let [.., theirs, peers] = link.introduce(&chunk, Side::Second).unwrap();
        assert!(Arc::ptr_eq(&peers, &own) && !Arc::ptr_eq(&theirs, &own));
    }

    #[test]
    fn a_link_ends_at_its_limit() {
        let mut link = link([1, 1], [None, None]);
        link.fresh = slot::SLOTS_MAX;
        assert_eq!(link.allocate(&mut room()), Err(NoRoom));
    }
}
