use crate::words::Words;
use crate::{SimExport, SimImport};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vmmc_contract::{Export, Landing, Permission, Redirect, RedirectError, Redirections, WriteError};
use vmmc_sync::Ordering;

/// When an update arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Within the call that makes it.
    Immediate,
    /// When the test calls [`SimBuffer::deliver`]: until then it waits in the buffer's one queue.
    Delayed,
}

/// A receive buffer in this process's memory, whose importers and faults are under the test's hand. A clone is the same
/// buffer.
#[derive(Clone, Debug)]
pub struct SimBuffer {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) words: Words,
    destination: Words,
    timing: Timing,
    /// Never held across an access to the words, except under a redirection: loom's atomics switch threads, this does not.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Update>,
    grants: u32,
    revoked: Vec<u32>,
    peer_lost: bool,
    notified: bool,
    redirections: Redirections,
}

/// A deliberate update, or a notification, on its way.
#[derive(Debug)]
pub(crate) enum Update {
    Bytes(usize, Vec<u8>),
    Word(usize, u64),
    Notify,
}

impl SimBuffer {
    /// An immediate buffer of `len` zero bytes.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self::with(Timing::Immediate, len, 0)
    }

    /// A delayed buffer of `len` zero bytes.
    #[must_use]
    pub fn delayed(len: usize) -> Self {
        Self::with(Timing::Delayed, len, 0)
    }

    /// A buffer of `len` zero bytes, with a destination of `destination` zero bytes for redirected data.
    #[must_use]
    pub fn with(timing: Timing, len: usize, destination: usize) -> Self {
        let (words, destination) = (Words::new(len), Words::new(destination));
        Self { shared: Arc::new(Shared { words, destination, timing, state: Mutex::default() }) }
    }

    /// The window of `len` bytes at `offset` (a multiple of 8) to be read; `None` if it does not lie inside.
    #[must_use]
    pub fn export(&self, offset: usize, len: usize) -> Option<SimExport> {
        self.holds(offset, len).then(|| SimExport { shared: Arc::clone(&self.shared), offset, len })
    }

    /// Grants the window of `len` bytes at `offset` (a multiple of 8) for writing; `None` if it does not lie inside.
    #[must_use]
    pub fn import(&self, offset: usize, len: usize) -> Option<SimImport> {
        self.grant(offset, len, Permission::Write)
    }

    /// As [`SimBuffer::import`], with a permission. Every call makes a new grant; clones of an import share theirs.
    #[must_use]
    pub fn grant(&self, offset: usize, len: usize, permission: Permission) -> Option<SimImport> {
        if !self.holds(offset, len) {
            return None;
        }
        let mut state = self.shared.state();
        state.grants += 1;
        Some(SimImport { shared: Arc::clone(&self.shared), offset, len, permission, number: state.grants })
    }

    /// Takes the grant of `import` and of its clones back. What is on its way still arrives.
    pub fn revoke(&self, import: &SimImport) {
        self.shared.state().revoked.push(import.number);
    }

    /// The peer is gone: every grant, also a future one, is revoked, and what is on its way never arrives.
    pub fn lose_peer(&self) {
        let mut state = self.shared.state();
        state.peer_lost = true;
        state.queue.clear();
    }

    /// How many updates and notifications are on their way; always 0 for an immediate buffer.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.state().queue.len()
    }

    /// Lets the oldest `count` updates and notifications arrive, in order: how many there were.
    pub fn deliver(&self, count: usize) -> usize {
        let next = || self.shared.state().queue.pop_front();
        std::iter::from_fn(next).take(count).map(|update| self.shared.apply(update)).count()
    }

    /// As [`SimBuffer::deliver`], everything.
    pub fn deliver_all(&self) -> usize {
        self.deliver(usize::MAX)
    }

    /// Whether a notification has arrived since the last call.
    #[must_use]
    pub fn take_notification(&self) -> bool {
        std::mem::take(&mut self.shared.state().notified)
    }

    /// Copies bytes out of the destination buffer; `false` if they do not lie inside.
    #[must_use]
    pub fn read_destination(&self, at: usize, dst: &mut [u8]) -> bool {
        let inside = at.checked_add(dst.len()).is_some_and(|end| end <= self.shared.destination.len());
        if inside {
            self.shared.destination.read(at, dst);
        }
        inside
    }

    fn holds(&self, offset: usize, len: usize) -> bool {
        let end = offset.checked_add(len);
        offset.is_multiple_of(8) && end.is_some_and(|end| end <= self.shared.words.len())
    }
}

impl Redirect for SimBuffer {
    fn redirect(&self, at: usize, len: usize, to: usize) -> Result<(), RedirectError> {
        let limits = (self.shared.words.len(), self.shared.destination.len());
        self.shared.state().redirections.add(Landing { at, to, len }, limits.0, limits.1)
    }

    fn end_redirect(&self, at: usize) -> Option<usize> {
        self.shared.state().redirections.end(at)
    }
}

impl Export for SimBuffer {
    fn len(&self) -> usize {
        self.shared.words.len()
    }

    fn load(&self, at: usize) -> u64 {
        self.shared.words.word(at).map_or(0, |word| word.load(Ordering::Acquire))
    }

    fn read(&self, at: usize, dst: &mut [u8]) -> bool {
        self.export(0, self.len()).is_some_and(|window| window.read(at, dst))
    }

    fn keep(&self, at: usize, src: &[u8]) -> bool {
        self.export(0, self.len()).is_some_and(|window| window.keep(at, src))
    }
}

impl Shared {
    /// Sends `update` on its way, in the name of grant `number`.
    pub(crate) fn send(&self, number: u32, update: Update) -> Result<(), WriteError> {
        let mut state = self.state();
        if state.peer_lost || state.revoked.contains(&number) {
            return Err(WriteError::Revoked);
        }
        if self.timing == Timing::Delayed {
            state.queue.push_back(update);
        } else {
            drop(state);
            self.apply(update);
        }
        Ok(())
    }

    /// What stands at `at`, with what is on its way there.
    pub(crate) fn read_back(&self, at: usize, dst: &mut [u8]) {
        let bytes = |update: &Update| match update {
            Update::Bytes(at, bytes) => Some((*at, bytes.clone())),
            Update::Word(..) | Update::Notify => None,
        };
        let under_way: Vec<_> = self.state().queue.iter().filter_map(bytes).collect();
        self.words.read(at, dst);
        for (to, bytes) in under_way {
            for (to, byte) in (to..).zip(bytes) {
                if let Some(place) = to.checked_sub(at).and_then(|within| dst.get_mut(within)) {
                    *place = byte;
                }
            }
        }
    }

    fn apply(&self, update: Update) {
        match update {
            Update::Bytes(at, bytes) => self.land(at, &bytes),
            // SYNC POINT `update`: pairs with `SimExport::load`. The senders have checked that the word exists.
            Update::Word(at, value) => {
                if let Some(word) = self.words.word(at) {
                    word.store(value, Ordering::Release);
                }
            }
            Update::Notify => self.state().notified = true,
        }
    }

    fn land(&self, at: usize, bytes: &[u8]) {
        let mut state = self.state();
        if state.redirections.is_empty() {
            drop(state);
            return self.words.write(at, bytes);
        }
        let mut pieces: Vec<Landing> = state.redirections.land(at, bytes.len()).collect();
        pieces.sort_by_key(|piece| piece.at);
        let mut rest = at;
        for piece in pieces {
            let part = |from: usize, to: usize| bytes.get(from - at..to - at).unwrap_or_default();
            self.words.write(rest, part(rest, piece.at));
            self.destination.write(piece.to, part(piece.at, piece.at + piece.len));
            rest = piece.at + piece.len;
        }
        self.words.write(rest, bytes.get(rest - at..).unwrap_or_default());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
