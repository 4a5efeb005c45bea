use core::fmt;

/// Why a deliberate update was not made. Nothing of it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The bytes do not lie inside the imported window.
    OutOfBounds,
    /// The word's offset is not a multiple of 8.
    Misaligned,
    /// The grant does not include writing.
    ReadOnly,
    /// The exporter has taken the grant back.
    Revoked,
}

/// Why a transfer redirection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectError {
    /// The source range or the destination does not lie inside what is exported.
    OutOfBounds,
    /// Another redirection covers part of the range.
    Overlap,
    /// The provider's table of redirections is full.
    Full,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfBounds => "the update does not lie inside the imported buffer",
            Self::Misaligned => "a word must stand at a multiple of 8 bytes",
            Self::ReadOnly => "the import was granted without permission to write",
            Self::Revoked => "the exporter has revoked this import",
        })
    }
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfBounds => "the redirected range does not lie inside the exported buffers",
            Self::Overlap => "another redirection covers part of this range",
            Self::Full => "too many redirections are in force",
        })
    }
}

impl core::error::Error for WriteError {}
impl core::error::Error for RedirectError {}
