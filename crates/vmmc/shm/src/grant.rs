//! What passes from an exporter to an importer, and the page in which the exporter keeps its grants.
//!
//! ```text
//! 0x0000  magic        what this memory is, and the version of this layout
//! 0x0008  length       of the buffer, in bytes
//! 0x0040  grant[504]   FREE, READ_ONLY, WRITE or REVOKED; written by the exporter, looked at before every update
//! 0x1000  the buffer
//! ```
use crate::{Descriptor, SegmentError};
use core::fmt;
use vmmc_contract::Permission;
use vmmc_os::{Errno, descriptor::Owned, memory};

pub(crate) const MAGIC_AT: usize = 0x00;
pub(crate) const LENGTH_AT: usize = 0x08;
pub(crate) const GRANTS_AT: usize = 0x40;
pub(crate) const BUFFER_AT: usize = memory::PAGE;

pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"vmmcbuf\x01");
pub(crate) const READ_ONLY: u64 = 1;
pub(crate) const WRITE: u64 = 2;
pub(crate) const REVOKED: u64 = 3;

/// A buffer makes at most this many grants in its life: a number is never given twice, so a grant taken back stays so.
pub const GRANTS_MAX: u32 = 504;
const _: () = assert!(GRANTS_AT + 8 * GRANTS_MAX as usize == BUFFER_AT);

/// A grant on its way to the importer, who makes a [`GrantedImport`](crate::GrantedImport) of it.
///
/// In the same process it is passed as it is. To another process go the two descriptors (by `SCM_RIGHTS`, or inherited)
/// and the number; they are no secret, since whoever has the descriptors has the memory.
#[derive(Debug)]
pub struct Grant {
    /// The memory; opened for reading alone if the grant is [`Permission::ReadOnly`].
    pub memory: Descriptor,
    /// The bell that notifies the exporter.
    pub bell: Descriptor,
    /// Which of the exporter's grants it is.
    pub number: u32,
}

impl Grant {
    /// Puts together what has arrived from another process. Nothing is trusted until the import is made.
    #[must_use]
    pub fn from_parts(memory: Owned, bell: Owned, number: u32) -> Self {
        Self { memory: memory.into(), bell: bell.into(), number }
    }
}

/// Why a grant could not be given or accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantError {
    /// The memory could not be mapped, or is not to be trusted.
    Segment(SegmentError),
    /// The memory is not an exported buffer of this version, or its header is a lie.
    NotABuffer,
    /// There is no such grant, or the exporter has taken it back.
    Revoked,
    /// The buffer has made [`GRANTS_MAX`] grants.
    Full,
}

/// The word in which the header says what grant `number` allows.
pub(crate) fn word_of(number: u32) -> usize {
    GRANTS_AT + 8 * number as usize
}

pub(crate) fn word_for(permission: Permission) -> u64 {
    match permission {
        Permission::ReadOnly => READ_ONLY,
        Permission::Write => WRITE,
    }
}

impl From<SegmentError> for GrantError {
    fn from(error: SegmentError) -> Self {
        Self::Segment(error)
    }
}

impl From<Errno> for GrantError {
    fn from(error: Errno) -> Self {
        Self::Segment(error.into())
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(error) => error.fmt(f),
            Self::NotABuffer => f.write_str("the memory is not an exported buffer of this version"),
            Self::Revoked => f.write_str("the exporter has not made this grant, or has taken it back"),
            Self::Full => f.write_str("the buffer can make no more grants"),
        }
    }
}

impl core::error::Error for GrantError {}
