//! Links to other processes: the one file that names a provider. A slot's two windows, and the mapping of segments.
use vmmc_shm::{ShmExport, ShmImport};

/// The windows on this end's slot and the peer's.
#[inline(always)]
pub(crate) fn windows(own: u64, peer: u64, len: u64, bell: i32) -> (ShmExport, ShmImport) {
    // SAFETY: the service thread stored these for a paired connection from mappings of `len` bytes at both addresses
    // that are never taken away while a connection that uses them lives, and it stored them before it said "paired".
    unsafe {
        (
            ShmExport::from_raw(own as usize, len as usize),
            ShmImport::from_raw(peer as usize, len as usize).with_bell(bell),
        )
    }
}
