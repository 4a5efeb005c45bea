//! Pointers and lengths become slices. Whatever the system would refuse becomes `None`, and the system then says so itself.

use core::ffi::c_void;
use core::time::Duration;
use std::io::{IoSlice, IoSliceMut};
use windows_sys::Win32::Networking::WinSock::{SOCKET, TIMEVAL, WSABUF};

/// So many pieces are kept on the stack.
const PIECES_FEW: usize = 16;
const MICROSECONDS: i32 = 1_000_000;

/// A socket as the socket room names it: a kernel's handle has 32 significant bits. `INVALID_SOCKET` becomes -1, which is
/// nobody's.
#[inline]
pub(crate) fn number(socket: SOCKET) -> i32 {
    socket as u32 as i32
}

/// The program's `len` bytes at `buf`, to read; at least one.
///
/// # Safety
/// They are readable for `'a`, unless `buf` is null.
#[inline]
pub(crate) unsafe fn bytes<'a>(buf: *const u8, len: i32) -> Option<&'a [u8]> {
    let len = usize::try_from(len).ok().filter(|len| *len != 0 && !buf.is_null())?;
    // SAFETY: not null, and the rest is the caller's promise.
    Some(unsafe { core::slice::from_raw_parts(buf, len) })
}

/// The program's `len` bytes at `buf`, to write; at least one.
///
/// # Safety
/// They are writable for `'a` and nobody else's, unless `buf` is null.
#[inline]
pub(crate) unsafe fn bytes_mut<'a>(buf: *mut u8, len: i32) -> Option<&'a mut [u8]> {
    let len = usize::try_from(len).ok().filter(|len| *len != 0 && !buf.is_null())?;
    // SAFETY: not null, and the rest is the caller's promise.
    Some(unsafe { core::slice::from_raw_parts_mut(buf, len) })
}

/// A copy of the program's `WSABUF`s without the empty ones, whose bases may be null.
pub(crate) struct Pieces {
    few: [WSABUF; PIECES_FEW],
    many: Vec<WSABUF>,
    count: usize,
}

impl Pieces {
    /// # Safety
    /// `buffers` points to `count` readable `WSABUF`s, and they to their bytes, unless null.
    pub(crate) unsafe fn new(buffers: *const WSABUF, count: u32) -> Option<Self> {
        if buffers.is_null() {
            return None;
        }
        let count = usize::try_from(count).ok()?;
        // SAFETY: the caller's promise.
        let given = unsafe { core::slice::from_raw_parts(buffers, count) };
        let mut pieces =
            Self { few: [WSABUF { len: 0, buf: core::ptr::null_mut() }; PIECES_FEW], many: Vec::new(), count: 0 };
        if count > PIECES_FEW {
            pieces.many.try_reserve_exact(count).ok()?;
        }
        let mut total = 0_u32;
        for piece in given.iter().filter(|piece| piece.len != 0) {
            // A result is 32 bits wide, and the sign of it says failure.
            total = total.checked_add(piece.len).filter(|total| i32::try_from(*total).is_ok())?;
            if piece.buf.is_null() {
                return None;
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

    /// To send from.
    pub(crate) fn as_slices(&self) -> &[IoSlice<'_>] {
        let used = if self.many.is_empty() { self.few.get(..self.count).unwrap_or(&[]) } else { &self.many };
        // SAFETY: `IoSlice` is guaranteed to have WSABUF's layout; the bases are not null and readable, by `new`'s contract.
        unsafe { core::slice::from_raw_parts(used.as_ptr().cast(), used.len()) }
    }

    /// To receive into.
    pub(crate) fn as_slices_mut(&mut self) -> &mut [IoSliceMut<'_>] {
        let used =
            if self.many.is_empty() { self.few.get_mut(..self.count).unwrap_or(&mut []) } else { &mut self.many };
        // SAFETY: `IoSliceMut` is guaranteed to have WSABUF's layout; the bases are not null and writable, by `new`'s contract.
        unsafe { core::slice::from_raw_parts_mut(used.as_mut_ptr().cast(), used.len()) }
    }
}

/// A time-out of select: `Some(None)` for a null pointer (wait for ever), `None` for one that the system refuses.
///
/// # Safety
/// `time` is null or readable.
pub(crate) unsafe fn timeout(time: *const TIMEVAL) -> Option<Option<Duration>> {
    // SAFETY: the caller's promise.
    let Some(time) = (unsafe { time.as_ref() }) else { return Some(None) };
    let seconds = u64::try_from(time.tv_sec.checked_add(time.tv_usec / MICROSECONDS)?).ok()?;
    let microseconds = u64::try_from(time.tv_usec % MICROSECONDS).ok()?;
    Some(Some(Duration::from_secs(seconds) + Duration::from_micros(microseconds)))
}

/// A value of the program's at `place`, as far as it is one.
///
/// # Safety
/// `place` is null or writable as a `T` for `'a`.
pub(crate) unsafe fn value<'a, T>(place: *mut c_void) -> Option<&'a mut T> {
    let place = place.cast::<T>();
    // SAFETY: aligned; the rest is the caller's promise.
    if place.is_aligned() { unsafe { place.as_mut() } } else { None }
}
