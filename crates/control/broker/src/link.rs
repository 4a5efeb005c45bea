//! Links: the memory between two processes, and which slots of it are in use.

use crate::offers::ClientId;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
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
    bells: [Arc<OwnedFd>; 2],
    chunks: Vec<Memory>,
    /// Slots that were in use and are wiped.
    free: BTreeSet<u32>,
    /// The first slot that never was in use.
    fresh: u32,
    /// Of each slot in use, which ends hold it.
    held: HashMap<u32, [bool; 2]>,
}

#[derive(Debug)]
struct Memory {
    /// Each side's receive buffers.
    exports: [Arc<OwnedFd>; 2],
    /// Which sides have been sent the descriptors.
    sent: [bool; 2],
}

/// A chunk's descriptors as one side gets them: its own memory, the peer's, its own bell, the peer's.
pub(crate) type Segment = [Arc<OwnedFd>; 4];

impl Link {
    pub(crate) fn new(ends: [ClientId; 2]) -> io::Result<Self> {
        let bell = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map(Arc::new);
        let bells = [bell()?, bell()?];
        Ok(Self { ends, bells, chunks: Vec::new(), free: BTreeSet::new(), fresh: 0, held: HashMap::new() })
    }

    /// Takes a slot, which is zero throughout, for both ends.
    ///
    /// # Errors
    /// The kernel's; `ENOSPC` if the link has as many slots as a link can have.
    pub(crate) fn allocate(&mut self) -> io::Result<(u32, Chunk)> {
        let slot = self.free.first().copied().unwrap_or(self.fresh);
        let chunk = Chunk::of(slot).ok_or(io::Errno::NOSPC)?;
        if chunk.number as usize == self.chunks.len() {
            let exports = [Arc::new(memory(chunk.len())?), Arc::new(memory(chunk.len())?)];
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

/// Makes a memory file of `len` zero bytes, of which none takes up memory yet, and whose length is fixed for good.
fn memory(len: usize) -> io::Result<OwnedFd> {
    let file = memfd_create("vmmc-link", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&file, len as u64)?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

/// Gives a slot's pages back to the system; they read as zero afterwards, wherever they are mapped.
fn wipe(file: &OwnedFd, chunk: &Chunk, slot: u32) -> io::Result<()> {
    let (at, len) = (chunk.offset(slot) as u64, slot::size(chunk.capacity) as u64);
    fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    fn file(memory: &Arc<OwnedFd>) -> std::fs::File {
        memory.try_clone().unwrap().into()
    }

    #[test]
    fn a_slot_is_used_again_when_both_ends_have_released_it_and_is_zero_then() {
        let mut link = Link::new([1, 2]).unwrap();
        let (slot, chunk) = link.allocate().unwrap();
        let [own, peer, ..] = link.introduce(&chunk, Side::First).unwrap();
        file(&own).write_all_at(b"own", chunk.offset(slot) as u64).unwrap();
        file(&peer).write_all_at(b"peer", chunk.offset(slot) as u64 + 8).unwrap();

        link.release(slot, Side::First, false);
        link.release(slot, Side::First, false);
        assert_eq!(link.allocate().unwrap().0, 1, "the other end still holds slot 0");
        link.release(slot, Side::Second, false);
        assert_eq!(link.allocate().unwrap().0, 0);
        for memory in [own, peer] {
            let mut words = [1; 16];
            file(&memory).read_exact_at(&mut words, 0).unwrap();
            assert_eq!(words, [0; 16]);
        }
    }

    #[test]
    fn each_side_gets_a_chunk_once_mirrored_and_again_after_it_could_not_map_it() {
        let mut link = Link::new([1, 2]).unwrap();
        let (slot, chunk) = link.allocate().unwrap();
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
    fn memory_cannot_change_its_length() {
        let memory = file(&Arc::new(memory(8192).unwrap()));
        assert!(memory.set_len(4096).is_err() && memory.set_len(16384).is_err());
    }

    #[test]
    fn a_link_ends_at_its_limit() {
        let mut link = Link::new([1, 1]).unwrap();
        link.fresh = slot::SLOTS_MAX;
        assert_eq!(link.allocate(), Err(io::Errno::NOSPC));
    }
}
