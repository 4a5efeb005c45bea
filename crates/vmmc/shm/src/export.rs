use crate::copy::copy;
use crate::window::Window;
use vmmc_contract::Export;
use vmmc_sync::Ordering;

/// A window of memory that this process exports: the importer writes it, this process polls it.
///
/// Two machine words that own nothing and can be copied, kept in a table and made anew for every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ShmExport {
    window: Window,
}

impl ShmExport {
    /// The window of `len` bytes at address `addr`.
    ///
    /// # Safety
    /// As long as the window or a copy of it is used, `[addr, addr + len)` stays mapped, shared, readable and writable,
    /// and no reference into it exists; `addr` is a multiple of 8.
    #[inline(always)]
    #[must_use]
    pub const unsafe fn from_raw(addr: usize, len: usize) -> Self {
        Self { window: Window { addr, len } }
    }

    /// The address of its first byte.
    #[inline(always)]
    #[must_use]
    pub const fn addr(&self) -> usize {
        self.window.addr
    }

    /// The window of `len` bytes that starts at byte `offset` (a multiple of 8) of this one; `None` if it does not lie inside.
    #[must_use]
    pub fn part(&self, offset: usize, len: usize) -> Option<Self> {
        self.window.part(offset, len).map(|window| Self { window })
    }
}

impl Export for ShmExport {
    #[inline(always)]
    fn len(&self) -> usize {
        self.window.len
    }

    /// SYNC POINT `update`: pairs with `ShmImport::store`.
    #[inline(always)]
    fn load(&self, at: usize) -> u64 {
        self.window.word(at).map_or(0, |word| word.load(Ordering::Acquire))
    }

    #[inline(always)]
    fn read(&self, at: usize, dst: &mut [u8]) -> bool {
        let Some(from) = self.window.bytes(at, dst.len()) else { return false };
        // SAFETY: the window holds the range and `from_raw`'s caller keeps it mapped; `dst` is exclusive, so it lies elsewhere.
        unsafe { copy(from, dst.as_mut_ptr(), dst.len()) };
        true
    }

    #[inline(always)]
    fn keep(&self, at: usize, src: &[u8]) -> bool {
        let Some(to) = self.window.bytes_mut(at, src.len()) else { return false };
        // SAFETY: the window holds the range and `from_raw`'s caller keeps it mapped; no reference points into it, so
        // `src` lies elsewhere.
        unsafe { copy(src.as_ptr(), to, src.len()) };
        true
    }
}
