//! How slots lie in a link's memory: sizes and places, as the broker hands them out and both ends check them.
//!
//! A link grows by *chunks*: one sealed memory file for each end, both of [`Chunk::len`] bytes, holding [`Chunk::slots`]
//! slots of one size. The first slots of a link have large rings; a link with thousands of connections gets small ones,
//! so that what it can ever occupy stays bounded. What stands *inside* a slot is the stream's (ARCHITECTURE.md).

/// Version of the words inside a slot. Two ends of different versions are never paired.
///
/// Tests build libraries of the next version (`--cfg vmmc_next`), to see this one get along with them.
pub const LAYOUT: u32 = if cfg!(vmmc_next = "layout") { 4 } else { 3 };
/// Bytes of control words before the ring.
pub const WORDS: usize = 0x1000;
/// Bytes of the stash behind the ring and the return area.
const STASH: usize = 64 * 1024;
/// No link has more slots.
pub const SLOTS_MAX: u32 = 64 * 1024;

/// One class of slots: those below `end`, `slots` of them in a chunk, with rings of `capacity` bytes.
struct Class {
    end: u32,
    slots: u32,
    capacity: usize,
}

/// Where memory costs only what is touched, rings are large; where every byte of a chunk counts at once against what the
/// system can give (and the address space of a 32-bit program), so many connections as a link usually has fit in little.
const CLASSES: [Class; 3] = if vmmc_os::memory::SHARED_IS_SPARSE {
    [
        Class { end: 256, slots: 16, capacity: 2 * 1024 * 1024 },
        Class { end: 1024, slots: 64, capacity: 512 * 1024 },
        Class { end: SLOTS_MAX, slots: 128, capacity: 64 * 1024 },
    ]
} else {
    [
        Class { end: 4, slots: 1, capacity: 2 * 1024 * 1024 },
        Class { end: 32, slots: 4, capacity: 256 * 1024 },
        Class { end: SLOTS_MAX, slots: 16, capacity: 64 * 1024 },
    ]
};

// Chunks are whole and slots page aligned, in every class.
const _: () = {
    let [large, middle, small] = &CLASSES;
    assert!(large.end.is_multiple_of(large.slots) && (middle.end - large.end).is_multiple_of(middle.slots));
    assert!((small.end - middle.end).is_multiple_of(small.slots) && small.end == SLOTS_MAX);
    assert!(
        large.capacity.is_multiple_of(4096)
            && middle.capacity.is_multiple_of(4096)
            && small.capacity.is_multiple_of(4096)
    );
    assert!(WORDS.is_multiple_of(4096) && STASH.is_multiple_of(4096));
};

/// Bytes of a slot whose rings have `capacity` bytes (a multiple of the page): words, ring, return area (as long as two rings),
/// stash.
#[must_use]
pub const fn size(capacity: usize) -> usize {
    WORDS + 3 * capacity + STASH
}

/// A run of slots that share one memory file for each end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The chunk's number in its link, counted from 0.
    pub number: u32,
    /// The number of its first slot.
    pub first: u32,
    /// How many slots it holds.
    pub slots: u32,
    /// Bytes of each ring in it.
    pub capacity: usize,
}

impl Chunk {
    /// The chunk that holds `slot`; `None` if no link has such a slot.
    #[must_use]
    pub fn of(slot: u32) -> Option<Self> {
        let (mut first, mut number) = (0, 0);
        for class in &CLASSES {
            if slot < class.end {
                let skipped = (slot - first) / class.slots;
                number += skipped;
                first += skipped * class.slots;
                return Some(Self { number, first, slots: class.slots, capacity: class.capacity });
            }
            number += (class.end - first) / class.slots;
            first = class.end;
        }
        None
    }

    /// Bytes of the memory file.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots as usize * size(self.capacity)
    }

    /// Never: a chunk holds slots.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slots == 0
    }

    /// Where `slot`, one of this chunk's, starts in the memory file, in bytes.
    #[must_use]
    pub const fn offset(&self, slot: u32) -> usize {
        slot.saturating_sub(self.first) as usize * size(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmmc_os::memory::SHARED_IS_SPARSE;

    #[test]
    fn every_slot_lies_inside_its_chunk_and_chunks_follow_each_other() {
        let mut expected = Chunk::of(0).unwrap();
        assert_eq!((expected.number, expected.first), (0, 0));
        for slot in 0..SLOTS_MAX {
            let chunk = Chunk::of(slot).unwrap();
            if slot == expected.first + expected.slots {
                assert_eq!((chunk.number, chunk.first), (expected.number + 1, slot));
                expected = chunk;
            }
            assert_eq!(chunk, expected);
            assert!(chunk.offset(slot) + size(chunk.capacity) <= chunk.len());
            assert_eq!(chunk.offset(slot) % 4096, 0);
        }
        assert_eq!(Chunk::of(SLOTS_MAX), None);
    }

    #[test]
    fn rings_shrink_as_a_link_grows() {
        let capacity = |slot| Chunk::of(slot).unwrap().capacity;
        let [large, middle, small] = CLASSES;
        let expected = [2 << 20, if SHARED_IS_SPARSE { 512 << 10 } else { 256 << 10 }, 64 << 10];
        assert_eq!([capacity(0), capacity(large.end), capacity(middle.end)], expected);
        assert_eq!([capacity(large.end - 1), capacity(middle.end - 1), capacity(small.end - 1)], expected);
    }

    #[test]
    fn memory_that_is_not_sparse_is_taken_sparingly() {
        let most = if SHARED_IS_SPARSE { usize::MAX } else { 192 << 20 };
        let total: usize = (0..500).filter_map(Chunk::of).map(|chunk| size(chunk.capacity)).sum();
        assert!(total < most, "{total} bytes an end for 500 connections");
    }
}
