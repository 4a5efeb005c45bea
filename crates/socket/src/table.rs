//! The descriptor table: number -> what stands there, one wait-free load.
//!
//! One word a descriptor in a sparse private mapping: 0 is nothing of ours, 1 a descriptor of the library's own,
//! 2 an epoll set (its number in the upper bits), anything else the address of a [`Connection`], with 4 in the low bits if its
//! calls are the kernel's. A second word says which
//! epoll sets watch the descriptor.
use crate::arena;
use crate::connection::Connection;
use vmmc_os::{descriptor, memory};
use vmmc_sync::{AtomicU64, AtomicUsize, Ordering};

/// Descriptors from this number on are never ours.
pub(crate) const DESCRIPTORS_MAX: usize = 1 << 20;
const INTERNAL: u64 = 1;
const EPOLL: u64 = 2;
const PLAIN: u64 = 4;

static ENTRIES: AtomicUsize = AtomicUsize::new(0);
/// One more than the highest descriptor that was ever entered.
static HIGHEST: AtomicUsize = AtomicUsize::new(0);

/// What stands at a descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    /// Nothing of ours.
    None,
    /// The library's own.
    Internal,
    /// Epoll set of this number.
    Epoll(usize),
    /// A TCP socket.
    Socket(&'static Connection),
    /// A TCP socket whose calls are all the kernel's, for good.
    Plain(&'static Connection),
}

/// Maps the table. Before it is called everything is untracked.
pub(crate) fn start() {
    if ENTRIES.load(Ordering::Acquire) == 0
        && let Ok(address) = memory::map_private(DESCRIPTORS_MAX * 16)
    {
        ENTRIES.store(address, Ordering::Release);
    }
}

#[inline(always)]
fn words(fd: i32) -> Option<&'static [AtomicU64; 2]> {
    let base = ENTRIES.load(Ordering::Acquire);
    let at = descriptor::index(fd);
    if base == 0 || at >= DESCRIPTORS_MAX {
        return None;
    }
    // SAFETY: the mapping holds DESCRIPTORS_MAX pairs of words, starts zeroed, is aligned and never taken away.
    Some(unsafe { &*(base as *const [AtomicU64; 2]).add(at) })
}

#[inline(always)]
fn word(fd: i32) -> u64 {
    words(fd).map_or(0, |[entry, _]| entry.load(Ordering::Acquire))
}

/// The TCP socket at `fd`.
#[inline(always)]
pub(crate) fn lookup(fd: i32) -> Option<&'static Connection> {
    let word = word(fd);
    (word != 0 && word & 63 == 0).then(|| arena::at(word as usize))
}

/// Whether `connection` is the TCP socket at `fd`.
#[inline(always)]
pub(crate) fn is_at(fd: i32, connection: &'static Connection) -> bool {
    word(fd) == core::ptr::from_ref(connection) as u64
}

/// Whatever stands at `fd`.
pub(crate) fn entry(fd: i32) -> Entry {
    match word(fd) {
        0 => Entry::None,
        INTERNAL => Entry::Internal,
        word if word & 63 == EPOLL => Entry::Epoll((word >> 6) as usize),
        word if word & 63 == PLAIN => Entry::Plain(arena::at((word & !63) as usize)),
        word => Entry::Socket(arena::at(word as usize)),
    }
}

fn put(fd: i32, word: u64) -> u64 {
    let Some([entry, watchers]) = words(fd) else { return 0 };
    HIGHEST.fetch_max(descriptor::index(fd) + 1, Ordering::Relaxed);
    watchers.store(0, Ordering::Relaxed);
    entry.swap(word, Ordering::AcqRel)
}

pub(crate) fn set_socket(fd: i32, connection: &'static Connection) {
    put(fd, core::ptr::from_ref(connection) as u64);
}
pub(crate) fn set_plain(fd: i32, connection: &'static Connection) {
    put(fd, PLAIN | core::ptr::from_ref(connection) as u64);
}
pub(crate) fn set_internal(fd: i32) {
    put(fd, INTERNAL);
}
pub(crate) fn set_epoll(fd: i32, set: usize) {
    put(fd, EPOLL | (set as u64) << 6);
}
/// Empties the entry.
pub(crate) fn clear(fd: i32) {
    put(fd, 0);
}
/// Whether anything was ever entered.
pub(crate) fn is_used() -> bool {
    HIGHEST.load(Ordering::Relaxed) != 0
}
/// Whether this table can hold an entry for `fd`.
pub(crate) fn holds(fd: i32) -> bool {
    words(fd).is_some()
}
/// The word that says which epoll sets watch `fd` (owned by `wait::epoll`).
#[inline(always)]
pub(crate) fn watchers(fd: i32) -> Option<&'static AtomicU64> {
    words(fd).map(|[_, watchers]| watchers)
}

/// Calls `visit` for every entry in `first..=last` that is not empty.
pub(crate) fn each_in(first: u32, last: u32, mut visit: impl FnMut(i32, Entry)) {
    let first = descriptor::index(first as i32);
    let last = descriptor::index(last as i32).min(HIGHEST.load(Ordering::Relaxed).saturating_sub(1));
    for fd in (first..=last).map(descriptor::at) {
        match entry(fd) {
            Entry::None => {}
            entry => visit(fd, entry),
        }
        if HIGHEST.load(Ordering::Relaxed) == 0 {
            break;
        }
    }
}

/// Calls `visit` for every descriptor of this process that refers to `connection`.
pub(crate) fn each_at(connection: &'static Connection, mut visit: impl FnMut(i32)) {
    each_in(0, u32::MAX, |at, _| {
        if is_at(at, connection) {
            visit(at);
        }
    });
}

/// Whether no other descriptor of this process than `fd` refers to `connection`.
pub(crate) fn is_only_one(fd: i32, connection: &'static Connection) -> bool {
    let mut others = 0;
    each_at(connection, |at| others += u32::from(at != fd));
    others == 0
}

/// A descriptor of this process that refers to `connection`: the remembered one, or the first that is found.
pub(crate) fn descriptor_of(connection: &'static Connection) -> Option<i32> {
    let remembered = connection.record.descriptor.load(Ordering::Relaxed) as i32;
    if is_at(remembered, connection) {
        return Some(remembered);
    }
    (0..HIGHEST.load(Ordering::Relaxed)).map(descriptor::at).find(|fd| is_at(*fd, connection))
}
