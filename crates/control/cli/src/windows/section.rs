//! Another process's table of sockets, which the broker has shown, copied out of a view of it.

use std::io::{Error, Result};
use vmmc_os::{Descriptor, memory};

/// A view of a table for reading alone. Its owner may write at any time, so nothing in it is ever borrowed.
#[derive(Debug)]
pub(super) struct View {
    address: usize,
    len: usize,
}

impl View {
    /// Maps a section whose pages can never fault.
    pub(super) fn map(section: &Descriptor) -> Result<Self> {
        let system = |error: vmmc_os::Errno| Error::from_raw_os_error(error.0);
        let found = memory::inspect(section.number()).map_err(system)?;
        if !found.sealed {
            return Err(Error::other("it may fault"));
        }
        let address = memory::map_shared(section.number(), found.len, false).map_err(system)?;
        Ok(Self { address, len: found.len })
    }

    /// Copies from `at` on; how many bytes there were.
    #[allow(unsafe_code)]
    pub(super) fn copy(&self, into: &mut [u8], at: u64) -> usize {
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(self.len);
        let len = into.len().min(self.len - at);
        for (offset, byte) in into.iter_mut().take(len).enumerate() {
            // SAFETY: the address lies in the view, which stays mapped as long as `self`; volatile, since others write there.
            *byte = unsafe { std::ptr::with_exposed_provenance::<u8>(self.address + at + offset).read_volatile() };
        }
        len
    }
}

impl Drop for View {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, and nothing borrows from it. A view that stays would cost address space alone.
        let _ = unsafe { memory::unmap(self.address, self.len) };
    }
}
