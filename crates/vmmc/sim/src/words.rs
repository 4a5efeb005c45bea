//! Bytes kept in atomic words, so that a data race is a wrong value and never undefined, and loom can see each access.
use vmmc_sync::{AtomicU64, Ordering};

/// `len` bytes, zero at first.
#[derive(Debug)]
pub(crate) struct Words {
    words: Box<[AtomicU64]>,
    len: usize,
}

impl Words {
    pub(crate) fn new(len: usize) -> Self {
        Self { words: (0..len.div_ceil(8)).map(|_| AtomicU64::new(0)).collect(), len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The word at byte `at`, if `at` is a multiple of 8 and all of it lies inside.
    pub(crate) fn word(&self, at: usize) -> Option<&AtomicU64> {
        let inside = at.is_multiple_of(8) && at.saturating_add(8) <= self.len;
        if inside { self.words.get(at / 8) } else { None }
    }

    /// Copies bytes out that the caller has found to lie inside. Relaxed: the words around the data order it.
    pub(crate) fn read(&self, at: usize, dst: &mut [u8]) {
        for_each_word(at, dst.len(), |index, within, range| {
            let word = self.words.get(index).map_or(0, |word| word.load(Ordering::Relaxed)).to_le_bytes();
            copy(dst.get_mut(range), word.get(within));
        });
    }

    /// Copies bytes in that the caller has found to lie inside. Neighbours in a word that is not wholly written stay;
    /// whoever races may see our bytes of it as zeroes for a moment. (A load and a compare-exchange would hide races: loom
    /// 0.7 misses interleavings in which one thread loads a place and then writes it.)
    pub(crate) fn write(&self, at: usize, src: &[u8]) {
        for_each_word(at, src.len(), |index, within, range| {
            let Some(word) = self.words.get(index) else { return };
            let (mut bytes, mut others) = ([0; 8], [0xff; 8]);
            copy(bytes.get_mut(within.clone()), src.get(range));
            if let Some(ours) = others.get_mut(within.clone()) {
                ours.fill(0);
            }
            if within.len() < 8 {
                word.fetch_and(u64::from_le_bytes(others), Ordering::Relaxed);
                word.fetch_or(u64::from_le_bytes(bytes), Ordering::Relaxed);
            } else {
                word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
            }
        });
    }
}

type Span = core::ops::Range<usize>;

/// Calls `visit(index of the word, bytes within the word, bytes within the slice)` for each word that `[at, at + len)` meets.
fn for_each_word(at: usize, len: usize, mut visit: impl FnMut(usize, Span, Span)) {
    let mut done = 0;
    while done < len {
        let start = (at + done) % 8;
        let count = (8 - start).min(len - done);
        visit((at + done) / 8, start..start + count, done..done + count);
        done += count;
    }
}

fn copy(to: Option<&mut [u8]>, from: Option<&[u8]>) {
    if let (Some(to), Some(from)) = (to, from) {
        to.copy_from_slice(from);
    }
}
