use crate::RedirectError;

/// A provider holds no more redirections than this at once.
pub const REDIRECTIONS_MAX: usize = 16;

/// Transfer redirection: data that a sender addresses to the default receive buffer lands in its final place instead.
///
/// The sender knows nothing of it. A redirection takes the bytes of its range in their order: what arrives out of turn, or
/// a second time, goes to the default buffer, and words (`store`) always do. It is one-shot: once its range is full it
/// takes nothing more, and it is remembered until `end_redirect` asks for it.
/// Source: VMMC-2 (see the crate's page), section on transfer redirection.
pub trait Redirect {
    /// Bytes written to `[at, at + len)` of the default buffer shall land at `to` of the destination buffer.
    ///
    /// # Errors
    /// `OutOfBounds` (also for no bytes), `Overlap`, `Full`: see [`RedirectError`].
    fn redirect(&self, at: usize, len: usize, to: usize) -> Result<(), RedirectError>;

    /// Ends the redirection that starts at `at`: how many of its bytes had landed at the destination. The rest, and all
    /// later data, is in the default buffer. `None` if there was none.
    fn end_redirect(&self, at: usize) -> Option<usize>;
}

/// The redirections in force at one buffer: the book that every provider keeps. It moves nothing itself.
#[derive(Debug, Default)]
pub struct Redirections {
    entries: [Option<Entry>; REDIRECTIONS_MAX],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: usize,
    len: usize,
    to: usize,
    landed: usize,
}

/// Bytes `[at, at + len)` of the default buffer that belong at `to` of the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Where the sender addressed them.
    pub at: usize,
    /// Their final place.
    pub to: usize,
    /// How many.
    pub len: usize,
}

impl Redirections {
    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(Option::is_none)
    }

    /// Enters a redirection in a buffer of `len_default` bytes towards one of `len_destination` bytes.
    ///
    /// # Errors
    /// As [`Redirect::redirect`].
    pub fn add(&mut self, landing: Landing, len_default: usize, len_destination: usize) -> Result<(), RedirectError> {
        let Landing { at, to, len } = landing;
        let inside = |start: usize, limit: usize| start <= limit && len <= limit - start;
        if len == 0 || !inside(at, len_default) || !inside(to, len_destination) {
            return Err(RedirectError::OutOfBounds);
        }
        if self.entries.iter().flatten().any(|e| e.meets(landing)) {
            return Err(RedirectError::Overlap);
        }
        let free = self.entries.iter_mut().find(|e| e.is_none()).ok_or(RedirectError::Full)?;
        *free = Some(Entry { at, len, to, landed: 0 });
        Ok(())
    }

    /// The data `[at, at + len)` of the default buffer has arrived: which pieces of it belong elsewhere. Each piece that
    /// the iterator yields counts as landed.
    pub fn land(&mut self, at: usize, len: usize) -> impl Iterator<Item = Landing> {
        self.entries.iter_mut().flatten().filter_map(move |entry| entry.take(at, len))
    }

    /// As [`Redirect::end_redirect`].
    pub fn end(&mut self, at: usize) -> Option<usize> {
        let entry = self.entries.iter_mut().find(|e| e.is_some_and(|e| e.at == at))?;
        entry.take().map(|e| e.landed)
    }
}

impl Entry {
    fn meets(&self, other: Landing) -> bool {
        let apart = |a: usize, b: usize| a + self.len <= b || b + other.len <= a;
        !(apart(self.at, other.at) && apart(self.to, other.to))
    }

    fn take(&mut self, at: usize, len: usize) -> Option<Landing> {
        let next = self.at + self.landed;
        let end = at.saturating_add(len).min(self.at + self.len);
        if at > next || end <= next {
            return None;
        }
        let piece = Landing { at: next, to: self.to + self.landed, len: end - next };
        self.landed += piece.len;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn land(book: &mut Redirections, at: usize, len: usize) -> Vec<Landing> {
        book.land(at, len).collect()
    }

    #[test]
    fn bytes_land_in_their_order_once_and_never_past_the_range() {
        let mut book = Redirections::default();
        book.add(Landing { at: 100, to: 0, len: 50 }, 1000, 50).unwrap();
        assert_eq!(land(&mut book, 0, 100), []);
        assert_eq!(land(&mut book, 90, 20), [Landing { at: 100, to: 0, len: 10 }]);
        assert_eq!(land(&mut book, 100, 10), [], "a second time");
        assert_eq!(land(&mut book, 120, 10), [], "out of turn");
        assert_eq!(land(&mut book, 110, 500), [Landing { at: 110, to: 10, len: 40 }]);
        assert_eq!(land(&mut book, 100, 50), [], "one-shot");
        assert_eq!(book.end(100), Some(50));
        assert_eq!(book.end(100), None);
    }

    #[test]
    fn a_redirection_that_cannot_be_is_refused() {
        let mut book = Redirections::default();
        let mut add = |at, len, to| book.add(Landing { at, to, len }, 100, 100);
        assert_eq!(add(0, 0, 0), Err(RedirectError::OutOfBounds));
        assert_eq!(add(90, 11, 0), Err(RedirectError::OutOfBounds));
        assert_eq!(add(usize::MAX, 2, 0), Err(RedirectError::OutOfBounds));
        assert_eq!(add(0, 10, 91), Err(RedirectError::OutOfBounds));
        assert_eq!(add(0, 10, 0), Ok(()));
        assert_eq!(add(9, 10, 50), Err(RedirectError::Overlap));
        assert_eq!(add(50, 10, 9), Err(RedirectError::Overlap));
        for i in 1..REDIRECTIONS_MAX {
            assert_eq!(add(20 + i, 1, 20 + i), Ok(()));
        }
        assert_eq!(add(80, 1, 80), Err(RedirectError::Full));
    }
}
