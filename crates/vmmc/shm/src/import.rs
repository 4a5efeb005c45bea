use crate::copy::{claim, copy};
use crate::window::Window;
use vmmc_contract::{Import, WriteError};
use vmmc_os::bell;
use vmmc_sync::Ordering;

/// A window of memory that another process exports: this process writes it, and reads nothing but what it wrote.
///
/// Two machine words and a bell, which own nothing and can be copied, kept in a table and made anew for every call. It
/// checks bounds and nothing else: who may write what is `GrantedImport`'s business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ShmImport {
    window: Window,
    bell: i32,
}

impl ShmImport {
    /// The window of `len` bytes at address `addr`, without a bell: `notify` does nothing.
    ///
    /// # Safety
    /// As long as the window or a copy of it is used, `[addr, addr + len)` stays mapped, shared and writable, and no
    /// reference into it exists; `addr` is a multiple of 8.
    #[inline(always)]
    #[must_use]
    pub const unsafe fn from_raw(addr: usize, len: usize) -> Self {
        Self { window: Window { addr, len }, bell: -1 }
    }

    /// The same window with the bell `bell` (borrowed) for its notifications.
    #[inline(always)]
    #[must_use]
    pub const fn with_bell(self, bell: i32) -> Self {
        Self { bell, ..self }
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
        self.window.part(offset, len).map(|window| Self { window, ..*self })
    }
}

impl Import for ShmImport {
    #[inline(always)]
    fn len(&self) -> usize {
        self.window.len
    }

    #[inline(always)]
    fn write(&self, at: usize, src: &[u8]) -> Result<(), WriteError> {
        let to = self.window.bytes_mut(at, src.len()).ok_or(WriteError::OutOfBounds)?;
        // SAFETY: the window holds the range and `from_raw`'s caller keeps it mapped; no reference points into it, so
        // `src` lies elsewhere.
        unsafe { copy(src.as_ptr(), to, src.len()) };
        Ok(())
    }

    /// SYNC POINT `update`: pairs with `ShmExport::load`.
    #[inline(always)]
    fn store(&self, at: usize, value: u64) -> Result<(), WriteError> {
        let Some(word) = self.window.word(at) else { return Err(refusal(at)) };
        word.store(value, Ordering::Release);
        Ok(())
    }

    #[inline(always)]
    fn foresee(&self, at: usize) {
        if let Some(place) = self.window.bytes(at, 1) {
            claim(place);
        }
    }

    fn read_back(&self, at: usize, dst: &mut [u8]) -> bool {
        let Some(from) = self.window.bytes(at, dst.len()) else { return false };
        // SAFETY: the window holds the range and `from_raw`'s caller keeps it mapped; no reference points into it, so
        // `dst` lies elsewhere.
        unsafe { copy(from, dst.as_mut_ptr(), dst.len()) };
        true
    }

    fn notify(&self) -> Result<(), WriteError> {
        bell::ring(self.bell);
        Ok(())
    }
}

/// Why there is no word at `at`.
#[cold]
fn refusal(at: usize) -> WriteError {
    if at.is_multiple_of(8) { WriteError::OutOfBounds } else { WriteError::Misaligned }
}
