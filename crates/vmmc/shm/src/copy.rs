//! Copies between this process's own memory and memory that somebody else may be writing.
//!
//! Shared memory is never a `&[u8]`: the other side may write at any moment, and a reference would promise the compiler
//! that it doesn't. So both copies take raw pointers and move plain bytes, for which every value that a race can produce
//! is valid; what they mean is decided by the words stored after them (Release) and loaded before them (Acquire).
//! The compiler must not look through a copy either: were it to read the shared bytes a second time after the caller has
//! checked them, a peer could change them in between. Hence volatile accesses for a few bytes, and for many a function
//! that is never inlined and that ends in the C library's copy.
use core::ptr;

/// Up to this many bytes are copied by a few moves in place, without a call.
const INLINE: usize = 64;

/// A machine word at any address: `packed` takes the demand for alignment away.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Anywhere<T>(T);

/// Copies `len` bytes out of shared memory.
///
/// # Safety
/// `from` is mapped for `len` bytes; `to` is the caller's own memory of `len` bytes; the two do not overlap.
#[inline(always)]
pub(crate) unsafe fn out(from: *const u8, to: *mut u8, len: usize) {
    if len <= INLINE {
        // SAFETY: the caller's promise.
        unsafe { few(from, to, len, Take) }
    } else {
        // SAFETY: the caller's promise.
        unsafe { many(from, to, len) }
    }
}

/// Copies `len` bytes into shared memory.
///
/// # Safety
/// `from` is the caller's own memory of `len` bytes; `to` is mapped, writable, for `len` bytes; the two do not overlap.
#[inline(always)]
pub(crate) unsafe fn into(from: *const u8, to: *mut u8, len: usize) {
    if len <= INLINE {
        // SAFETY: the caller's promise.
        unsafe { few(from, to, len, Put) }
    } else {
        // SAFETY: the caller's promise.
        unsafe { many(from, to, len) }
    }
}

/// Which end of a move is the shared one, and therefore volatile.
trait Direction: Copy {
    /// Moves one `T` without regard to alignment.
    ///
    /// # Safety
    /// `from` is readable and `to` writable for the size of `T`.
    unsafe fn one<T: Copy>(self, from: *const u8, to: *mut u8);
}

#[derive(Clone, Copy)]
struct Take;
#[derive(Clone, Copy)]
struct Put;

impl Direction for Take {
    #[inline(always)]
    unsafe fn one<T: Copy>(self, from: *const u8, to: *mut u8) {
        // SAFETY: the caller's promise; `Anywhere` needs no alignment, and integers take any bytes.
        unsafe { to.cast::<Anywhere<T>>().write(from.cast::<Anywhere<T>>().read_volatile()) }
    }
}

impl Direction for Put {
    #[inline(always)]
    unsafe fn one<T: Copy>(self, from: *const u8, to: *mut u8) {
        // SAFETY: the caller's promise; `Anywhere` needs no alignment, and integers take any bytes.
        unsafe { to.cast::<Anywhere<T>>().write_volatile(from.cast::<Anywhere<T>>().read()) }
    }
}

/// At most [`INLINE`] bytes: moves of the largest size that fits, the last one ending at the last byte and overlapping
/// the one before it. A byte moved twice may differ between the two reads; it is a torn byte range like any other race's.
///
/// # Safety
/// As the callers': `len` bytes at both ends, not overlapping.
#[inline(always)]
unsafe fn few<D: Direction>(from: *const u8, to: *mut u8, len: usize, way: D) {
    // SAFETY: every move below starts at 0 or later and ends at `len` or before.
    unsafe {
        let at = |offset: usize| (from.add(offset), to.add(offset));
        let tail = |size: usize| at(len - size);
        if len >= 16 {
            if len > 32 {
                way.one::<u128>(from, to);
                let (f, t) = at(16);
                way.one::<u128>(f, t);
                let (f, t) = tail(32);
                way.one::<u128>(f, t);
            } else {
                way.one::<u128>(from, to);
            }
            let (f, t) = tail(16);
            way.one::<u128>(f, t);
        } else if len >= 8 {
            way.one::<u64>(from, to);
            let (f, t) = tail(8);
            way.one::<u64>(f, t);
        } else if len >= 4 {
            way.one::<u32>(from, to);
            let (f, t) = tail(4);
            way.one::<u32>(f, t);
        } else if len >= 1 {
            way.one::<u8>(from, to);
            let (f, t) = at(len / 2);
            way.one::<u8>(f, t);
            let (f, t) = tail(1);
            way.one::<u8>(f, t);
        }
    }
}

/// Any number of bytes, by the C library's copy.
///
/// # Safety
/// As the callers': `len` bytes at both ends, not overlapping.
#[inline(never)]
unsafe fn many(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise. A concurrent writer of another process makes the bytes arbitrary, which bytes may be.
    unsafe { ptr::copy_nonoverlapping(from, to, len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_small_length_at_every_alignment_arrives_whole_and_touches_nothing_else() {
        let source: Vec<u8> = (1..=200).collect();
        for len in 0..=INLINE + 2 {
            for shift in 0..16 {
                let (mut inward, mut outward) = ([0u8; 200], [0u8; 200]);
                // SAFETY: at most 16 + 66 bytes of 200 are touched.
                unsafe {
                    into(source.as_ptr().add(shift), inward.as_mut_ptr().add(16 - shift), len);
                    out(source.as_ptr().add(shift), outward.as_mut_ptr().add(16 - shift), len);
                }
                let mut expected = [0u8; 200];
                expected[16 - shift..16 - shift + len].copy_from_slice(&source[shift..shift + len]);
                assert_eq!(inward, expected, "in: {len} bytes, shifted by {shift}");
                assert_eq!(outward, expected, "out: {len} bytes, shifted by {shift}");
            }
        }
    }
}
