use crate::buffer::Shared;
use std::sync::Arc;
use vmmc_contract::Export;
use vmmc_sync::Ordering;

/// A window of a [`SimBuffer`](crate::SimBuffer), to be read. A clone is the same window.
#[derive(Clone, Debug)]
pub struct SimExport {
    pub(crate) shared: Arc<Shared>,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

impl SimExport {
    fn place(&self, at: usize, len: usize) -> Option<usize> {
        (at <= self.len && len <= self.len - at).then(|| self.offset + at)
    }
}

impl Export for SimExport {
    fn len(&self) -> usize {
        self.len
    }

    /// SYNC POINT `update`: pairs with the store of `Update::Word`.
    fn load(&self, at: usize) -> u64 {
        let word = self.place(at, 8).and_then(|place| self.shared.words.word(place));
        word.map_or(0, |word| word.load(Ordering::Acquire))
    }

    fn read(&self, at: usize, dst: &mut [u8]) -> bool {
        self.place(at, dst.len()).map(|place| self.shared.words.read(place, dst)).is_some()
    }

    fn keep(&self, at: usize, src: &[u8]) -> bool {
        self.place(at, src.len()).map(|place| self.shared.words.write(place, src)).is_some()
    }
}
