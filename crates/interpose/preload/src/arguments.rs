//! Pointers and lengths become slices. Whatever the kernel would refuse becomes `None`, and the kernel then says so itself.

use core::ffi::c_void;
use libc::{iovec, timespec, timeval};
use std::io::{IoSlice, IoSliceMut};
use std::time::Duration;
use vmmc_os::memory;
use vmmc_socket::process::is_at_work;

/// The kernel moves at most so many bytes in one call (`MAX_RW_COUNT`).
const BYTES_MAX: usize = 0x7fff_f000;
/// `UIO_MAXIOV`.
const PIECES_MAX: usize = 1024;
/// So many pieces are kept on the stack.
const PIECES_FEW: usize = 16;
/// The kernel maps nothing for a program below (`vm.mmap_min_addr`) or from here on.
const ADDRESS_LEAST: usize = 0x1_0000;
const ADDRESS_END: usize = 0x7fff_ffff_f000;
const NANOSECONDS: i64 = 1_000_000_000;
const MICROSECONDS: i64 = 1_000_000;

/// Whether any program can have `len` bytes (at most [`BYTES_MAX`]) at `buf`. A null pointer is no such place.
#[inline]
fn is_place(buf: *const c_void, len: usize) -> bool {
    buf.addr().wrapping_sub(ADDRESS_LEAST) <= ADDRESS_END - ADDRESS_LEAST - len
}

/// Whether any program can have a value at `place`.
pub(crate) fn is_possible<T>(place: *const T) -> bool {
    is_place(place.cast(), size_of::<T>())
}

/// So many bytes above a frame of ours are the callers' frames.
const FRAMES: usize = 4096;

/// Whether the value at `place` can be looked at before the kernel has judged it. While no call can be ours it can't, and nobody is asked.
/// What stands in our caller's frame is there; a system call tells it of anything else.
pub(crate) fn can_read<T>(place: *const T) -> bool {
    can_read_words(place.cast(), size_of::<T>())
}

/// As [`can_read`], of `len` bytes: the pages of the first and the last of them.
pub(crate) fn can_read_words(place: *const u8, len: usize) -> bool {
    let frame = 0_u8;
    let (first, last) = (place.addr(), place.addr().wrapping_add(len.max(1) - 1));
    let is_there = |address: usize| memory::is_readable(address & !(size_of::<u64>() - 1));
    is_at_work()
        && (first.wrapping_sub((&raw const frame).addr()) < FRAMES
            || is_there(first) && (first / memory::PAGE == last / memory::PAGE || is_there(last)))
}

/// The program's `len` bytes at `buf`, to read; at least one. `None` for a place that nobody can have.
///
/// # Safety
/// They are readable for `'a`, if anybody can have them.
#[inline]
pub(crate) unsafe fn bytes<'a>(buf: *const c_void, len: usize) -> Option<&'a [u8]> {
    let moved = len.min(BYTES_MAX);
    let usable = len != 0 && isize::try_from(len).is_ok() && is_place(buf, moved);
    // SAFETY: not null, and the rest is the caller's promise.
    usable.then(|| unsafe { core::slice::from_raw_parts(buf.cast(), moved) })
}

/// The program's `len` bytes at `buf`, to write; at least one. `None` for a place that nobody can have.
///
/// # Safety
/// They are writable for `'a` and nobody else's, if anybody can have them.
#[inline]
pub(crate) unsafe fn bytes_mut<'a>(buf: *mut c_void, len: usize) -> Option<&'a mut [u8]> {
    let moved = len.min(BYTES_MAX);
    let usable = len != 0 && isize::try_from(len).is_ok() && is_place(buf, moved);
    // SAFETY: not null, and the rest is the caller's promise.
    usable.then(|| unsafe { core::slice::from_raw_parts_mut(buf.cast(), moved) })
}

/// A copy of the program's `iovec`s without the empty ones, whose bases may be anything; the program's own may be read-only.
/// It ends before the first whose place nobody can have.
pub(crate) struct Pieces {
    few: [iovec; PIECES_FEW],
    many: Vec<iovec>,
    count: usize,
    is_cut: bool,
}

impl Pieces {
    /// Those of a call that wants at least one byte moved.
    ///
    /// # Safety
    /// As for [`Pieces::new`].
    pub(crate) unsafe fn some(vector: *const iovec, count: usize) -> Option<Self> {
        // SAFETY: the caller's promise.
        unsafe { Self::new(vector, count) }.filter(|pieces| pieces.count != 0 || pieces.is_cut)
    }

    /// # Safety
    /// `vector` points to `count` readable `iovec`s, and they to their bytes, if anybody can have them.
    pub(crate) unsafe fn new(vector: *const iovec, count: usize) -> Option<Self> {
        if !is_place(vector.cast(), PIECES_MAX * size_of::<iovec>()) || count > PIECES_MAX {
            return None;
        }
        let none = iovec { iov_base: core::ptr::null_mut(), iov_len: 0 };
        let mut pieces = Self { few: [none; PIECES_FEW], many: Vec::new(), count: 0, is_cut: false };
        // SAFETY: the caller's promise.
        let given = unsafe { core::slice::from_raw_parts(vector, count) };
        if count > PIECES_FEW {
            pieces.many.try_reserve_exact(count).ok()?;
        }
        let mut total = 0_usize;
        for piece in given.iter().filter(|piece| piece.iov_len != 0) {
            total = total.checked_add(piece.iov_len).filter(|total| isize::try_from(*total).is_ok())?;
            pieces.is_cut = pieces.is_cut || !is_place(piece.iov_base, piece.iov_len.min(BYTES_MAX));
            if pieces.is_cut {
                continue;
            }
            if count > PIECES_FEW {
                pieces.many.push(*piece);
            } else if let Some(place) = pieces.few.get_mut(pieces.count) {
                *place = *piece;
            }
            pieces.count += 1;
        }
        Some(pieces)
    }

    /// Whether there is no byte among them.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the program's vector goes on in a place that nobody can have.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn used(&self) -> &[iovec] {
        if self.many.is_empty() { self.few.get(..self.count).unwrap_or(&[]) } else { &self.many }
    }

    /// To send from.
    pub(crate) fn as_slices(&self) -> &[IoSlice<'_>] {
        let used = self.used();
        // SAFETY: `IoSlice` is guaranteed to have iovec's ABI; the bases are not null and readable, by `new`'s contract.
        unsafe { core::slice::from_raw_parts(used.as_ptr().cast(), used.len()) }
    }

    /// To receive into.
    pub(crate) fn as_slices_mut(&mut self) -> &mut [IoSliceMut<'_>] {
        let used =
            if self.many.is_empty() { self.few.get_mut(..self.count).unwrap_or(&mut []) } else { &mut self.many };
        // SAFETY: `IoSliceMut` is guaranteed to have iovec's ABI; the bases are not null and writable, by `new`'s contract.
        unsafe { core::slice::from_raw_parts_mut(used.as_mut_ptr().cast(), used.len()) }
    }
}

/// A time-out: `Some(None)` for a null pointer (wait for ever), `None` for one that the kernel refuses.
///
/// # Safety
/// `time` is null, or points to one if it can be read.
pub(crate) unsafe fn timeout(time: *const timespec) -> Option<Option<Duration>> {
    if time.is_null() {
        return Some(None);
    }
    // SAFETY: readable by the test, and by the caller's promise what it shall be.
    let time = unsafe { can_read(time).then(|| time.read_unaligned()) }?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok().filter(|_| time.tv_nsec < NANOSECONDS)?;
    Some(Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanoseconds)))
}

/// As [`timeout`], of select's kind: its microseconds may exceed a second.
///
/// # Safety
/// As for [`timeout`].
pub(crate) unsafe fn select_timeout(time: *const timeval) -> Option<Option<Duration>> {
    if time.is_null() {
        return Some(None);
    }
    // SAFETY: readable by the test, and by the caller's promise what it shall be.
    let time = unsafe { can_read(time).then(|| time.read_unaligned()) }?;
    let seconds = time.tv_sec.checked_add(time.tv_usec / MICROSECONDS)?;
    let microseconds = u64::try_from(time.tv_usec).ok()? % MICROSECONDS.unsigned_abs();
    Duration::from_secs(u64::try_from(seconds).ok()?).checked_add(Duration::from_micros(microseconds)).map(Some)
}

/// poll's and epoll's milliseconds; negative: for ever.
pub(crate) fn milliseconds(timeout: i32) -> Option<Duration> {
    u64::try_from(timeout).ok().map(Duration::from_millis)
}

/// The part of a signal set that the kernel knows (64 signals): `Some(None)` for a null pointer, `None` for one that the kernel
/// refuses.
///
/// # Safety
/// `set` is null, or points to one if it can be read.
pub(crate) unsafe fn signal_set(set: *const libc::sigset_t) -> Option<Option<u64>> {
    let set = set.cast::<u64>();
    if set.is_null() {
        return Some(None);
    }
    // SAFETY: readable by the test; the kernel's set is the first 8 bytes of the C library's.
    can_read(set).then(|| Some(unsafe { set.read_unaligned() }))
}
