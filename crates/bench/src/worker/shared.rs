//! Words that two processes share.

use std::io::{Error, Result};
use std::sync::atomic::AtomicU64;

use vmmc_os::{Descriptor, Errno, memory};

use crate::system::calls;

/// Each on a cache line (and a neighbour line) of its own.
const WORDS_APART: usize = 256;

/// A page of words that two processes share.
#[derive(Debug)]
pub(super) struct SharedWords {
    address: usize,
    section: Descriptor,
}

impl SharedWords {
    /// A new page of words, all 0.
    pub(super) fn create() -> Result<Self> {
        Self::map(Descriptor::new(memory::create_sealed(c"vmmc-bench", memory::PAGE).map_err(system)?))
    }

    /// The page that another process has created and [named](Self::name).
    pub(super) fn open(name: &str) -> Result<Self> {
        Self::map(calls::open(name)?)
    }

    /// The name by which another process of this user can open the page.
    pub(super) fn name(&self) -> String {
        calls::name_of(self.section.number())
    }

    /// Word `index`, below 16.
    pub(super) fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < memory::PAGE / WORDS_APART);
        // SAFETY: the word lies inside the mapped page, which lives as long as self; any bits are a valid AtomicU64, and
        // every process reaches these words by atomic operations only.
        unsafe { &*std::ptr::with_exposed_provenance(self.address + index * WORDS_APART) }
    }

    fn map(section: Descriptor) -> Result<Self> {
        let address = memory::map_shared(section.number(), memory::PAGE, true).map_err(system)?;
        Ok(Self { address, section })
    }
}

fn system(error: Errno) -> Error {
    Error::from_raw_os_error(error.0)
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, and every reference to it has been borrowed from self.
        let _ = unsafe { memory::unmap(self.address, memory::PAGE) };
    }
}
