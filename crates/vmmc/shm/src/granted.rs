use crate::grant::{self, Grant, GrantError};
use crate::window::Window;
use crate::{Descriptor, Segment, ShmImport};
use vmmc_contract::{Import, Permission, WriteError};
use vmmc_os::memory;
use vmmc_sync::Ordering;

/// A buffer that another process exports and has granted to this one: bounds, permission and revocation are checked
/// before every update.
///
/// One word of the exporter's is looked at for that. It is the one thing of others that an importer reads: on shared memory the
/// grant table, which on a network stands in the adapter, stands in the mapping.
#[derive(Debug)]
pub struct GrantedImport {
    mapping: Window,
    window: ShmImport,
    grant: usize,
    permission: Permission,
    /// Rung through `window`, which borrows it.
    _bell: Descriptor,
}

impl GrantedImport {
    /// Imports what `grant` grants.
    ///
    /// # Errors
    /// `Segment` for memory that cannot be mapped or trusted, `NotABuffer` for memory that is something else, `Revoked`
    /// for a grant that was never made or is no more.
    pub fn accept(grant: Grant) -> Result<Self, GrantError> {
        let Grant { memory, bell, number } = grant;
        let (mapping, writable) = map(memory.number())?;
        let (buffer, permission) = read_header(mapping, writable, number).inspect_err(|_| unmap(mapping))?;
        // SAFETY: it is mapped until `self` is dropped, and no reference into it is made but to atomic words. A grant
        // that is read-only is mapped so, and `check` never lets an update through.
        let window = unsafe { ShmImport::from_raw(buffer.addr, buffer.len) }.with_bell(bell.number());
        Ok(Self { mapping, window, grant: grant::word_of(number), permission, _bell: bell })
    }

    /// What the exporter allowed.
    #[must_use]
    pub fn permission(&self) -> Permission {
        self.permission
    }

    fn check(&self, needed: Permission) -> Result<(), WriteError> {
        if needed == Permission::Write && self.permission == Permission::ReadOnly {
            return Err(WriteError::ReadOnly);
        }
        let word = self.mapping.word(self.grant).map_or(grant::REVOKED, |word| word.load(Ordering::Relaxed));
        if word == grant::word_for(self.permission) { Ok(()) } else { Err(WriteError::Revoked) }
    }
}

impl Import for GrantedImport {
    fn len(&self) -> usize {
        self.window.len()
    }

    fn write(&self, at: usize, src: &[u8]) -> Result<(), WriteError> {
        self.check(Permission::Write)?;
        self.window.write(at, src)
    }

    fn store(&self, at: usize, value: u64) -> Result<(), WriteError> {
        self.check(Permission::Write)?;
        self.window.store(at, value)
    }

    fn read_back(&self, at: usize, dst: &mut [u8]) -> bool {
        self.check(Permission::Write).is_ok() && self.window.read_back(at, dst)
    }

    fn notify(&self) -> Result<(), WriteError> {
        self.check(Permission::ReadOnly)?;
        self.window.notify()
    }
}

impl Drop for GrantedImport {
    fn drop(&mut self) {
        unmap(self.mapping);
    }
}

/// Maps memory, for writing if the descriptor allows it: whether it did.
fn map(fd: i32) -> Result<(Window, bool), GrantError> {
    let len = Segment::measure(fd)?;
    let writable = memory::map_shared(fd, len, true);
    let addr = writable.or_else(|_| memory::map_shared(fd, len, false))?;
    Ok((Window { addr, len }, writable.is_ok()))
}

/// Takes the mapping of a `GrantedImport`, or of one that failed, away.
fn unmap(mapping: Window) {
    // SAFETY: mapped by `map`; the windows into it are private to the value that is going.
    let _ = unsafe { memory::unmap(mapping.addr, mapping.len) };
}

/// What the exporter's header says of grant `number`, if it can be true: where the buffer stands, and what is allowed.
fn read_header(mapping: Window, writable: bool, number: u32) -> Result<(Window, Permission), GrantError> {
    let word = |at| mapping.word(at).map_or(0, |word| word.load(Ordering::Acquire));
    let len = usize::try_from(word(grant::LENGTH_AT)).unwrap_or(0);
    let buffer = mapping.part(grant::BUFFER_AT, len).filter(|_| len > 0 && word(grant::MAGIC_AT) == grant::MAGIC);
    let buffer = buffer.ok_or(GrantError::NotABuffer)?;
    if number >= grant::GRANTS_MAX {
        return Err(GrantError::Revoked);
    }
    match word(grant::word_of(number)) {
        grant::READ_ONLY => Ok((buffer, Permission::ReadOnly)),
        grant::WRITE if writable => Ok((buffer, Permission::Write)),
        grant::WRITE => Err(GrantError::NotABuffer),
        _ => Err(GrantError::Revoked),
    }
}
