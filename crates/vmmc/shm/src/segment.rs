use crate::window::Window;
use crate::{ShmExport, ShmImport};
use core::fmt;
use core::ops::Range;
use vmmc_os::Errno;
use vmmc_os::memory::{self, MemoryFile};

/// No segment is longer: a peer's descriptor that claims more is refused before it can use up the address space.
pub const SEGMENT_BYTES_MAX: usize = if usize::BITS > 38 { (1u64 << 38) as usize } else { 1 << 30 };

/// A mapped memory file, shared with another process: the memory in which windows stand.
///
/// An address and a length, like its windows: it stays mapped until [`Segment::unmap`], and dropping it does nothing. So
/// windows into it can be made, copied and kept anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    window: Window,
}

/// Why a segment could not be made or mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentError {
    /// The kernel refused.
    Kernel(Errno),
    /// The descriptor is no memory file whose length is fixed for good: to map it would be to trust whoever made it.
    Unsealed,
    /// It has no bytes, or more than [`SEGMENT_BYTES_MAX`].
    Length,
}

impl Segment {
    /// Makes a segment of `len` zero bytes, rounded up to whole pages, and maps it. The caller owns the descriptor (closed
    /// by exec), which may be passed to the peer and closed: the mapping does not need it.
    ///
    /// # Errors
    /// `Length` for no bytes or too many; the kernel's.
    pub fn create(len: usize) -> Result<(Self, i32), SegmentError> {
        if len == 0 || len > SEGMENT_BYTES_MAX {
            return Err(SegmentError::Length);
        }
        let len = len.next_multiple_of(memory::PAGE);
        let fd = memory::create_sealed(c"vmmc", len)?;
        match memory::map_shared(fd, len, true) {
            Ok(addr) => Ok((Self { window: Window { addr, len } }, fd)),
            Err(error) => {
                let _ = vmmc_os::kernel::close(fd);
                Err(error.into())
            }
        }
    }

    /// Maps the whole segment behind `fd` (borrowed), made by any process.
    ///
    /// # Errors
    /// `Unsealed` or `Length` if no byte of it could be trusted to stay; the kernel's.
    pub fn map(fd: i32) -> Result<Self, SegmentError> {
        let len = Self::measure(fd)?;
        let addr = memory::map_shared(fd, len, true)?;
        Ok(Self { window: Window { addr, len } })
    }

    /// The length of the segment behind `fd`, if it can be trusted to keep it.
    pub(crate) fn measure(fd: i32) -> Result<usize, SegmentError> {
        match memory::inspect(fd)? {
            MemoryFile { sealed: false, .. } => Err(SegmentError::Unsealed),
            MemoryFile { len: len @ 1..=SEGMENT_BYTES_MAX, .. } => Ok(len),
            MemoryFile { .. } => Err(SegmentError::Length),
        }
    }

    /// The address of the first byte, a multiple of the page size.
    #[must_use]
    pub fn addr(&self) -> usize {
        self.window.addr
    }

    /// The length in bytes, whole pages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.window.len
    }

    /// Never: a segment has at least one page.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.len == 0
    }

    /// The window of `len` bytes at `offset` (a multiple of 8) to be read here; `None` if it does not lie inside.
    #[must_use]
    pub fn export(&self, offset: usize, len: usize) -> Option<ShmExport> {
        let Window { addr, len } = self.window.part(offset, len)?;
        // SAFETY: a part of a segment that stays mapped, read and write, until `unmap`, whose caller vouches for windows.
        Some(unsafe { ShmExport::from_raw(addr, len) })
    }

    /// The window of `len` bytes at `offset` (a multiple of 8) to be written here; `None` if it does not lie inside.
    #[must_use]
    pub fn import(&self, offset: usize, len: usize) -> Option<ShmImport> {
        let Window { addr, len } = self.window.part(offset, len)?;
        // SAFETY: a part of a segment that stays mapped, read and write, until `unmap`, whose caller vouches for windows.
        Some(unsafe { ShmImport::from_raw(addr, len) })
    }

    /// Gives the memory of the whole pages inside `range` back to the system. Its bytes read as zeroes, at both ends.
    ///
    /// # Errors
    /// `Length` if the range does not lie inside; the kernel's.
    pub fn punch_hole(&self, range: Range<usize>) -> Result<(), SegmentError> {
        let (start, end) = (range.start.next_multiple_of(memory::PAGE), range.end & !(memory::PAGE - 1));
        if end > self.window.len {
            return Err(SegmentError::Length);
        }
        if start >= end {
            return Ok(());
        }
        // SAFETY: whole pages inside this segment's one mapping; bytes that change under a window are what windows expect.
        unsafe { memory::punch_hole(self.window.addr + start, end - start) }.map_err(Into::into)
    }

    /// Takes the mapping away.
    ///
    /// # Safety
    /// No window into it, and no copy of it, will be used again.
    pub unsafe fn unmap(self) {
        // SAFETY: mapped by this type, once; the caller vouches for the windows. The kernel cannot refuse a mapping of ours.
        let _ = unsafe { memory::unmap(self.window.addr, self.window.len) };
    }
}

impl From<Errno> for SegmentError {
    fn from(error: Errno) -> Self {
        Self::Kernel(error)
    }
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(error) => error.fmt(f),
            Self::Unsealed => f.write_str("the descriptor is not a memory file sealed against resizing"),
            Self::Length => f.write_str("the segment, or a range of it, is empty or too long"),
        }
    }
}

impl core::error::Error for SegmentError {}
