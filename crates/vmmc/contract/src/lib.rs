//! The words of virtual memory-mapped communication: export, import, deliberate update, notification, redirection.
//!
//! It holds traits, errors and the book of redirections; no system call, no shared memory.
//! The stream calls it; providers (`vmmc-shm`, `vmmc-sim`) implement it; `vmmc-conformance` tests them.
//! It stands on nothing.
//!
//! A receiver *exports* a receive buffer; a sender that was granted it *imports* it and moves data by *deliberate
//! update*: one-sided, ordered writes into the imported buffer. Two disciplines follow and every provider may rely on
//! them: **writes are remote, polling is local; nobody reads remote memory**, but to have back what he himself wrote there,
//! seldom and never in a hurry.
//!
//! ```
//! use vmmc_contract::{Export, Import, WriteError};
//!
//! /// Sends a message: the data first, then the word that publishes it.
//! fn publish(import: &impl Import, message: &[u8]) -> Result<(), WriteError> {
//!     import.write(8, message)?;
//!     import.store(0, message.len() as u64)?;
//!     import.notify()
//! }
//!
//! /// Takes it out of this process's own memory. The length is what a peer wrote: `read` refuses one that does not fit.
//! fn look(export: &impl Export, into: &mut [u8; 64]) -> Option<usize> {
//!     let length = usize::try_from(export.load(0)).ok().filter(|length| *length > 0)?;
//!     export.read(8, into.get_mut(..length)?).then_some(length)
//! }
//! ```
//!
//! Revocation is an answer and no word of its own here: how a grant is given and taken back is each provider's, and an
//! import whose grant is gone says [`WriteError::Revoked`]. An update that was under way at that moment may still arrive.
//!
//! Source: C. Dubnicki, A. Bilas, Y. Chen, S. Damianakis, K. Li, "VMMC-2: Efficient Support for Reliable,
//! Connection-Oriented Communication", Hot Interconnects 1997.
#![forbid(unsafe_code)]

mod error;
mod permission;
mod redirect;

pub use error::{RedirectError, WriteError};
pub use permission::Permission;
pub use redirect::{Landing, REDIRECTIONS_MAX, Redirect, Redirections};

/// A window of a receive buffer that this process has exported: it is read here and written by the importer.
///
/// The importer may write at any moment, so no reference into the window is ever handed out: only copies and words.
/// Every method is async-signal-safe, allocates nothing and never blocks; any thread may call it.
pub trait Export {
    /// The window's length in bytes.
    fn len(&self) -> usize;

    /// Whether the window has no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word at byte offset `at` (a multiple of 8), with Acquire ordering: what the importer wrote before it
    /// `store`d this value is visible afterwards. Out of bounds or misaligned: 0.
    fn load(&self, at: usize) -> u64;

    /// Copies `dst.len()` bytes that start at `at` into `dst`; `false`, and nothing copied, if they do not lie inside.
    #[must_use]
    fn read(&self, at: usize, dst: &mut [u8]) -> bool;

    /// Copies `src` to `at` in this process's own window (for data that its owner keeps there); `false` if it does not fit.
    #[must_use]
    fn keep(&self, at: usize, src: &[u8]) -> bool;
}

/// A window of a remote receive buffer that this process was granted: it is written, and never polled.
///
/// Updates made by one thread through one import arrive in order. Every method is async-signal-safe on providers of one
/// host, allocates nothing and never blocks; any thread may call it.
pub trait Import {
    /// The window's length in bytes.
    fn len(&self) -> usize;

    /// Whether the window has no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Deliberate update: `src` arrives at byte offset `at`, all of it or (on an error) nothing.
    ///
    /// # Errors
    /// `OutOfBounds` if it does not lie inside the window; `ReadOnly` without the permission; `Revoked` once the exporter
    /// has taken the grant back.
    fn write(&self, at: usize, src: &[u8]) -> Result<(), WriteError>;

    /// Writes the word `value` at `at` (a multiple of 8) with Release ordering: every earlier update through this import
    /// arrives before it.
    ///
    /// # Errors
    /// As [`Import::write`]; `Misaligned` if `at` is not a multiple of 8.
    fn store(&self, at: usize, value: u64) -> Result<(), WriteError>;

    /// Says that an update at `at` is about to follow, so that a provider can get ready what it needs for it. A hint: nothing
    /// changes at the exporter, and no update need follow.
    fn foresee(&self, at: usize) {
        let _ = at;
    }

    /// Copies `dst.len()` bytes that this import has written at `at` back into `dst`; `false`, and nothing copied, if they do not
    /// lie inside or the grant does not include writing. The exporter may have written there since. Between hosts it waits for a
    /// round trip.
    #[must_use]
    fn read_back(&self, at: usize, dst: &mut [u8]) -> bool;

    /// Asks the exporter's notification handler to run; all earlier updates are visible to it. Notifications may merge.
    ///
    /// # Errors
    /// `Revoked` once the exporter has taken the grant back.
    fn notify(&self) -> Result<(), WriteError>;
}
