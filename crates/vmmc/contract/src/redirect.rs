use crate::RedirectError;

/// Transfer redirection: data that a sender addresses to the default receive buffer lands in its final place instead.
///
/// The sender knows nothing of it. A redirection is one-shot: it ends when its range has been filled or taken back.
/// Source: VMMC-2 (see the crate's page), section on transfer redirection.
pub trait Redirect {
    /// Bytes written to `[at, at + len)` of the default buffer shall land at `to` of the destination buffer.
    ///
    /// # Errors
    /// `OutOfBounds`, `Overlap`, `Full`: see [`RedirectError`].
    fn redirect(&self, at: usize, len: usize, to: usize) -> Result<(), RedirectError>;

    /// Ends the redirection that starts at `at`: how many of its bytes had landed at the destination. The rest, and all
    /// later data, is in the default buffer. `None` if there was none.
    fn end_redirect(&self, at: usize) -> Option<usize>;
}
