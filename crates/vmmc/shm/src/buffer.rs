use crate::grant::{self, GRANTS_MAX, Grant, GrantError};
use crate::{Descriptor, Segment, SegmentError, ShmExport, ShmImport};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vmmc_contract::{Export, Import, Landing, Permission, Redirect, RedirectError, Redirections};
use vmmc_os::{Errno, bell, descriptor::Borrowed, memory};
use vmmc_sync::{AtomicU32, Ordering};

/// A receive buffer that this process exports: it grants it, polls it, is notified, and takes grants back.
///
/// **Revocation.** A granted import looks at its grant before every update, so an honest importer stops at once, but for
/// an update that was already under way. Shared memory itself cannot be taken out of another process: a hostile importer
/// that was granted writing can go on writing into this buffer, and nowhere else, until it unmaps it. To be safe from it,
/// drop the buffer, or stop reading it. A `ReadOnly` importer is handed a descriptor that cannot be mapped for writing.
///
/// **Redirection.** The importer's stores land in the default buffer, since nothing stands between them and the memory.
/// The exporter, which learns from its protocol's words that data has arrived, says so ([`ExportedBuffer::arrived`]), and
/// the redirected part of it moves to the destination then.
#[derive(Debug)]
pub struct ExportedBuffer {
    segment: Segment,
    header: ShmImport,
    window: ShmExport,
    memory: Descriptor,
    bell: Descriptor,
    granted: AtomicU32,
    redirected: Mutex<Redirected>,
}

/// The exporter's private half of redirection: nobody else sees the destination.
#[derive(Debug, Default)]
struct Redirected {
    book: Redirections,
    destination: Box<[u8]>,
}

impl ExportedBuffer {
    /// Makes a buffer of `len` zero bytes, with a destination of `destination` zero bytes for redirected data.
    ///
    /// # Errors
    /// `Length` for no bytes or too many; the kernel's.
    pub fn create(len: usize, destination: usize) -> Result<Self, SegmentError> {
        let all = len.checked_add(grant::BUFFER_AT).filter(|_| len > 0).ok_or(SegmentError::Length)?;
        let bell = Descriptor::new(bell::create()?);
        let (segment, memory) = Segment::create(all)?;
        let memory = Descriptor::new(memory);
        let header = segment.import(0, grant::BUFFER_AT).ok_or(SegmentError::Length)?;
        let window = segment.export(grant::BUFFER_AT, len).ok_or(SegmentError::Length)?;
        let redirected = Redirected { book: Redirections::default(), destination: vec![0; destination].into() };
        let granted = AtomicU32::new(0);
        let buffer = Self { segment, header, window, memory, bell, granted, redirected: Mutex::new(redirected) };
        buffer.put(grant::LENGTH_AT, len as u64);
        buffer.put(grant::MAGIC_AT, grant::MAGIC);
        Ok(buffer)
    }

    /// Makes a new grant of the whole buffer.
    ///
    /// # Errors
    /// `Full` after [`GRANTS_MAX`] grants; the kernel's, for its two descriptors.
    pub fn grant(&self, permission: Permission) -> Result<Grant, GrantError> {
        let memory = match permission {
            Permission::Write => self.memory.duplicate()?,
            Permission::ReadOnly => Descriptor::new(memory::reopen_read_only(self.memory.number())?),
        };
        let bell = self.bell.duplicate()?;
        let next = |n| (n < GRANTS_MAX).then_some(n + 1);
        let number = self.granted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let number = number.map_err(|_| GrantError::Full)?;
        self.put(grant::word_of(number), grant::word_for(permission));
        Ok(Grant { memory, bell, number })
    }

    /// Takes a grant back: `false` if there never was one of this number. What that means is said at the type.
    pub fn revoke(&self, number: u32) -> bool {
        let made = number < self.granted.load(Ordering::Relaxed);
        if made {
            self.put(grant::word_of(number), grant::REVOKED);
        }
        made
    }

    /// Waits at most `timeout` (`None`: without end) for a notification: whether there was one since the last call. Many
    /// may have become one. A `true` may be false: an importer can always ring for nothing.
    ///
    /// # Errors
    /// The kernel's: `EINTR` if a signal ended the wait.
    pub fn wait_notification(&self, timeout: Option<Duration>) -> Result<bool, Errno> {
        bell::wait(self.bell.number(), timeout)
    }

    /// The bell (Linux: an eventfd, readable; Windows: an auto-reset event, set) that rings while a notification waits, for
    /// an event loop. [`ExportedBuffer::wait_notification`] silences it.
    #[must_use]
    pub fn notification(&self) -> Borrowed<'_> {
        self.bell.borrow()
    }

    /// Says that the data `[at, at + len)` has arrived in the default buffer: what a redirection covers of it moves to the
    /// destination.
    pub fn arrived(&self, at: usize, len: usize) {
        let mut redirected = self.redirected();
        let Redirected { book, destination } = &mut *redirected;
        for piece in book.land(at, len) {
            if let Some(place) = destination.get_mut(piece.to..piece.to + piece.len) {
                let _ = self.window.read(piece.at, place);
            }
        }
    }

    /// Looks at the destination buffer, which no importer can write.
    pub fn with_destination<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        look(&self.redirected().destination)
    }

    fn redirected(&self) -> MutexGuard<'_, Redirected> {
        self.redirected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, at: usize, value: u64) {
        let stored = self.header.store(at, value);
        debug_assert!(stored.is_ok(), "every offset is one of the layout's");
    }
}

impl Export for ExportedBuffer {
    fn len(&self) -> usize {
        self.window.len()
    }

    fn load(&self, at: usize) -> u64 {
        self.window.load(at)
    }

    fn read(&self, at: usize, dst: &mut [u8]) -> bool {
        self.window.read(at, dst)
    }

    fn keep(&self, at: usize, src: &[u8]) -> bool {
        self.window.keep(at, src)
    }
}

/// Not for signal handlers: the book of redirections is under a lock.
impl Redirect for ExportedBuffer {
    fn redirect(&self, at: usize, len: usize, to: usize) -> Result<(), RedirectError> {
        let mut redirected = self.redirected();
        let room = redirected.destination.len();
        redirected.book.add(Landing { at, to, len }, self.len(), room)
    }

    fn end_redirect(&self, at: usize) -> Option<usize> {
        self.redirected().book.end(at)
    }
}

impl Drop for ExportedBuffer {
    fn drop(&mut self) {
        // SAFETY: the windows into it are this value's own and go with it.
        unsafe { self.segment.unmap() }
    }
}
