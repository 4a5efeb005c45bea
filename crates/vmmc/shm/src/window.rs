//! Where a window's bytes stand, and which of them a call may touch.
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
// Words that other processes write too: memory that loom cannot own.
use core::sync::atomic::AtomicU64;

/// A range of mapped shared memory: an address that is a multiple of 8, and a length. It owns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Window {
    pub(crate) addr: usize,
    pub(crate) len: usize,
}

impl Window {
    /// The first of `len` shared bytes that start at `at`, if they all lie inside.
    #[inline(always)]
    pub(crate) fn bytes(self, at: usize, len: usize) -> Option<*const u8> {
        self.holds(at, len).then(|| with_exposed_provenance(self.addr.wrapping_add(at)))
    }

    /// As [`Window::bytes`], to write there.
    #[inline(always)]
    pub(crate) fn bytes_mut(self, at: usize, len: usize) -> Option<*mut u8> {
        self.holds(at, len).then(|| with_exposed_provenance_mut(self.addr.wrapping_add(at)))
    }

    /// The word at `at`, if it lies inside and at a multiple of 8.
    #[inline(always)]
    pub(crate) fn word(&self, at: usize) -> Option<&AtomicU64> {
        if !at.is_multiple_of(8) || !self.holds(at, 8) {
            return None;
        }
        // SAFETY: whoever made the window promised that it is mapped, so not at address 0, and that its address is a multiple
        // of 8; so is `at`.
        unsafe {
            let word: *mut u64 = with_exposed_provenance_mut(self.addr.wrapping_add(at));
            core::hint::assert_unchecked(!word.is_null());
            Some(AtomicU64::from_ptr(word))
        }
    }

    /// Whether the window `[offset, offset + len)` of this one can be made: inside, and at a multiple of 8.
    pub(crate) fn part(self, offset: usize, len: usize) -> Option<Self> {
        let fits = offset.is_multiple_of(8) && self.holds(offset, len);
        fits.then(|| Self { addr: self.addr.wrapping_add(offset), len })
    }

    #[inline(always)]
    fn holds(self, at: usize, len: usize) -> bool {
        at <= self.len && len <= self.len - at
    }
}
