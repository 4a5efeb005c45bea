//! There are no signals.

/// See Linux's.
#[derive(Debug)]
pub struct Held;

/// Holds nothing back.
#[must_use]
pub fn hold() -> Held {
    Held
}

impl Held {
    /// There was none.
    #[must_use]
    pub fn let_in(&self, _mask: Option<u64>) -> Option<bool> {
        None
    }
}
