//! Rings that the program made and drives with `syscall`: we map their submission queues as well, and look.

use super::entry::{Queue, SETUP_KNOWN, registered};
use crate::answer::told;
use core::ffi::{c_int, c_long, c_uint, c_void};
use core::ptr::null_mut;
use vmmc_os::kernel::syscall6;
use vmmc_protocol::Reason;
use vmmc_socket::process::leave_to_kernel;
use vmmc_sync::{AtomicU32, AtomicUsize, Ordering};

/// So many rings are looked into at a time.
const RINGS_MAX: usize = 64;
const OFFSET_RING: usize = 0;
const OFFSET_ENTRIES: usize = 0x1000_0000;
/// Flags of `io_uring_setup` with which we cannot look into a queue before the kernel does: it polls (SQPOLL), the program
/// brings the memory (NO_MMAP), there is no descriptor (REGISTERED_FD_ONLY).
const SETUP_HIDDEN: u32 = 1 << 1 | 1 << 14 | 1 << 15;
const SETUP_LARGE_ENTRIES: u32 = 1 << 10;
const SETUP_WITHOUT_ARRAY: u32 = 1 << 16;
/// Flag of `io_uring_enter`: the ring is named by its place among the registered ones.
const ENTER_REGISTERED_RING: c_uint = 1 << 4;
const REGISTER_FILES: c_uint = 2;
const REGISTER_FILES_UPDATE: c_uint = 6;
const REGISTER_FILES_2: c_uint = 13;
const REGISTER_FILES_UPDATE_2: c_uint = 14;
/// Flag of `io_uring_register`'s operation, as that of `io_uring_enter`.
const REGISTER_WITH_REGISTERED_RING: c_uint = 1 << 31;

/// `struct io_uring_params`, as the kernel has filled it in.
#[repr(C)]
pub(crate) struct Params {
    entries: u32,
    completion_entries: u32,
    flags: u32,
    others: [u32; 7],
    head: u32,
    tail: u32,
    mask: u32,
    more: [u32; 3],
    array: u32,
    rest: [u32; 13],
}

const _: () = assert!(size_of::<Params>() == 120);

/// A submission queue, mapped by us.
struct Ring {
    words: (usize, usize),
    entries: (usize, usize),
    head: *const AtomicU32,
    tail: *const AtomicU32,
    queue: Queue,
}

/// A ring's descriptor and one more (0: the place is free), and the ring's address (0: none).
struct Place {
    fd: AtomicU32,
    ring: AtomicUsize,
}

static PLACES: [Place; RINGS_MAX] = [const { Place { fd: AtomicU32::new(0), ring: AtomicUsize::new(0) } }; RINGS_MAX];

/// How a descriptor is written in a place.
fn name(fd: c_int) -> u32 {
    fd.cast_unsigned().wrapping_add(1)
}

/// `io_uring_setup` has returned `fd` and filled in `params`.
///
/// # Safety
/// It has.
pub(crate) unsafe fn made(fd: c_int, params: *const Params) {
    // SAFETY: the caller's promise.
    let params = unsafe { &*params };
    let is_kept = params.flags & (SETUP_HIDDEN | !SETUP_KNOWN) == 0
        && Ring::map(fd, params).is_some_and(|ring| {
            let free = PLACES
                .iter()
                .find(|place| place.fd.compare_exchange(0, name(fd), Ordering::AcqRel, Ordering::Relaxed).is_ok());
            if let Some(place) = free {
                place.ring.store(Box::into_raw(Box::new(ring)).expose_provenance(), Ordering::Release);
            }
            free.is_some()
        });
    if !is_kept {
        told(|| leave_to_kernel(Reason::IO_URING));
    }
}

impl Place {
    fn is_within(&self, first: c_uint, last: c_uint) -> bool {
        let name = self.fd.load(Ordering::Relaxed);
        name != 0 && (first..=last).contains(&(name - 1))
    }
}

/// Whether a descriptor in `first..=last` is a ring's.
#[inline]
pub(crate) fn has(first: c_uint, last: c_uint) -> bool {
    PLACES.iter().any(|place| place.is_within(first, last))
}

/// Descriptors in `first..=last` are about to be closed: a mapping of ours would keep the ring, and what it waits for.
#[inline]
pub(crate) fn closed(first: c_uint, last: c_uint) {
    for place in &PLACES {
        if place.is_within(first, last) {
            let ring = place.ring.swap(0, Ordering::AcqRel);
            if ring != 0 {
                // SAFETY: made by `Box::into_raw`, and out of the place. No other thread hands entries to a ring whose descriptor
                // is being closed: its number may be another file's by then.
                drop(unsafe { Box::from_raw(core::ptr::with_exposed_provenance_mut::<Ring>(ring)) });
            }
            place.fd.store(0, Ordering::Release);
        }
    }
}

/// `io_uring_enter` is about to be called.
///
/// # Safety
/// `fd`'s entries are those of a program that may call it.
pub(crate) unsafe fn before_enter(fd: c_int, count: c_uint, flags: c_uint) {
    if count == 0 {
        return;
    }
    let place = PLACES.iter().find(|place| place.fd.load(Ordering::Acquire) == name(fd));
    let ring = place.map_or(0, |place| place.ring.load(Ordering::Acquire));
    // SAFETY: null or a ring that stays until its descriptor is closed, which the program does not do while it hands entries over.
    let ring = unsafe { core::ptr::with_exposed_provenance::<Ring>(ring).as_ref() };
    match ring {
        // SAFETY: the ring's mappings, and the program's entries until the kernel has them.
        Some(ring) if flags & ENTER_REGISTERED_RING == 0 => unsafe {
            let (head, tail) = ((*ring.head).load(Ordering::Acquire), (*ring.tail).load(Ordering::Acquire));
            ring.queue.prepare(head, tail);
        },
        _ => {
            told(|| leave_to_kernel(Reason::IO_URING));
        }
    }
}

/// `io_uring_register` is about to be called.
///
/// # Safety
/// As its manual page demands.
pub(crate) unsafe fn before_register(operation: c_uint, argument: *const c_void, count: c_uint) {
    // SAFETY: `struct io_uring_rsrc_register`, `_rsrc_update2` and `_files_update`: numbers, of which the second 8 bytes or
    // the third are the address of the array.
    let word = |at: usize| unsafe { argument.cast::<u64>().add(at).read_unaligned() };
    let files = match operation & !REGISTER_WITH_REGISTERED_RING {
        _ if argument.is_null() => return,
        REGISTER_FILES => (argument.cast(), count),
        REGISTER_FILES_UPDATE => (word(1) as *const c_int, count),
        REGISTER_FILES_2 => (word(2) as *const c_int, word(0) as u32),
        REGISTER_FILES_UPDATE_2 => (word(1) as *const c_int, word(3) as u32),
        _ => return,
    };
    // SAFETY: the caller's promise.
    told(|| unsafe { registered(files.0, files.1) });
}

impl Ring {
    fn map(fd: c_int, params: &Params) -> Option<Self> {
        let large = u32::from(params.flags & SETUP_LARGE_ENTRIES != 0);
        let has_array = params.flags & SETUP_WITHOUT_ARRAY == 0;
        let count = params.entries as usize;
        let array_end = if has_array { params.array as usize + count * size_of::<u32>() } else { 0 };
        let last_word = params.head.max(params.tail).max(params.mask) as usize;
        let words = map(fd, OFFSET_RING, array_end.max(last_word + size_of::<u32>()))?;
        let Some(entries) = map(fd, OFFSET_ENTRIES, (count * 64) << large) else {
            unmap(words);
            return None;
        };
        let at = |offset: u32| core::ptr::with_exposed_provenance_mut::<u32>(words.0 + offset as usize);
        let queue = Queue {
            entries: core::ptr::with_exposed_provenance_mut(entries.0),
            mask: params.entries.wrapping_sub(1),
            shift: large,
            order: if has_array { at(params.array) } else { null_mut() },
        };
        Some(Self { words, entries, head: at(params.head).cast(), tail: at(params.tail).cast(), queue })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        unmap(self.words);
        unmap(self.entries);
    }
}

fn map(fd: c_int, offset: usize, length: usize) -> Option<(usize, usize)> {
    const NUMBER: c_long = libc::SYS_mmap;
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
    let mapped = unsafe { syscall6(NUMBER, 0, length, protection, libc::MAP_SHARED as usize, fd as usize, offset) };
    mapped.ok().map(|address| (address, length))
}

fn unmap((address, length): (usize, usize)) {
    // SAFETY: one of a ring's mappings, which ends with this.
    let _ = unsafe { syscall6(libc::SYS_munmap, address, length, 0, 0, 0, 0) };
}
