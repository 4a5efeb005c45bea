//! Copies between this process's own memory and memory that somebody else may be writing.
//!
//! Shared memory is never a `&[u8]`: the other side may write at any moment, and a reference would promise the compiler
//! that it doesn't. So a copy takes raw pointers and moves plain bytes, for which every value that a race can produce
//! is valid; what they mean is decided by the words stored after them (Release) and loaded before them (Acquire).
//! The compiler must not look through a copy either: were it to read the shared bytes a second time after the caller has
//! checked them, a peer could change them in between. Hence volatile reads.

/// Up to this many bytes are copied by a few moves in place, without a call.
const INLINE: usize = 64;

#[cfg(target_arch = "x86")]
use core::arch::x86::__m128i;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::__m128i;

/// The widest move that every processor of this kind has.
type Wide = __m128i;

/// A machine word at any address: `packed` takes the demand for alignment away.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Anywhere<T>(T);

/// Copies `len` bytes, out of shared memory or into it.
///
/// # Safety
/// `from` is mapped for `len` bytes and `to` is mapped and writable; one of the two is shared memory and the other the
/// caller's own, so they do not overlap.
#[inline(always)]
pub(crate) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    if len <= INLINE {
        // SAFETY: the caller's promise.
        unsafe { few(from, to, len) }
    } else {
        // SAFETY: the caller's promise.
        unsafe { many(from, to, len) }
    }
}

/// At most [`INLINE`] bytes: moves of the largest size that fits, the last one ending at the last byte and overlapping
/// the one before it. A byte moved twice may differ between the two reads; it is a torn byte range like any other race's.
///
/// # Safety
/// As the callers': `len` bytes at both ends, not overlapping.
#[inline(always)]
unsafe fn few(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: every move below starts at 0 or later and ends at `len` or before.
    unsafe {
        if len > 32 {
            one::<Wide>(from, to, 0);
            one::<Wide>(from, to, 16);
            one::<Wide>(from, to, len - 32);
            one::<Wide>(from, to, len - 16);
        } else if len >= 16 {
            one::<Wide>(from, to, 0);
            one::<Wide>(from, to, len - 16);
        } else if len >= 8 {
            one::<u64>(from, to, 0);
            one::<u64>(from, to, len - 8);
        } else if len >= 4 {
            one::<u32>(from, to, 0);
            one::<u32>(from, to, len - 4);
        } else if len >= 1 {
            one::<u8>(from, to, 0);
            one::<u8>(from, to, len / 2);
            one::<u8>(from, to, len - 1);
        }
    }
}

/// Moves one `T` that stands at byte `at` of both ends, whatever its alignment. The read is volatile whichever end is the
/// shared one: it costs nothing.
///
/// # Safety
/// `from` is readable and `to` writable at `[at, at + size_of::<T>())`; any bytes are a valid `T`.
#[inline(always)]
unsafe fn one<T: Copy>(from: *const u8, to: *mut u8, at: usize) {
    // SAFETY: the caller's promise; `Anywhere` needs no alignment.
    unsafe { to.add(at).cast::<Anywhere<T>>().write(from.add(at).cast::<Anywhere<T>>().read_volatile()) }
}

/// More than [`INLINE`] bytes: one cache line's worth a round, the last round ending at the last byte. The C library's copy
/// is not used: for these lengths it may be one string instruction, which waits for every line that the other processor
/// still holds instead of asking for several at once (measured: a third of this loop's bandwidth, and less).
///
/// # Safety
/// As the callers': `len` bytes at both ends, not overlapping, and `len` is larger than [`INLINE`].
#[inline(never)]
unsafe fn many(from: *const u8, to: *mut u8, len: usize) {
    let mut at = 0;
    // SAFETY: every round moves the 64 bytes from `at` on, and `at <= len - INLINE` in each, the last one too.
    unsafe {
        while at < len - INLINE {
            line(from, to, at);
            at += INLINE;
        }
        line(from, to, len - INLINE);
    }
}

/// # Safety
/// 64 bytes at `at` of both ends.
#[inline(always)]
unsafe fn line(from: *const u8, to: *mut u8, at: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        one::<Wide>(from, to, at);
        one::<Wide>(from, to, at + 16);
        one::<Wide>(from, to, at + 32);
        one::<Wide>(from, to, at + 48);
    }
}

/// Asks for the cache line of `at` as one that this processor is going to write.
#[inline(always)]
pub(crate) fn claim(at: *const u8) {
    // SAFETY: a prefetch is a hint, which reads and writes nothing and faults at no address; a processor that does not know it
    // does nothing.
    unsafe { core::arch::asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags, readonly)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_small_length_at_every_alignment_arrives_whole_and_touches_nothing_else() {
        let source: Vec<u8> = (1..=200).collect();
        for len in 0..=INLINE + 2 {
            for shift in 0..16 {
                let mut copied = [0u8; 200];
                // SAFETY: at most 16 + 66 bytes of 200 are touched.
                unsafe { copy(source.as_ptr().add(shift), copied.as_mut_ptr().add(16 - shift), len) };
                let mut expected = [0u8; 200];
                expected[16 - shift..16 - shift + len].copy_from_slice(&source[shift..shift + len]);
                assert_eq!(copied, expected, "{len} bytes, shifted by {shift}");
            }
        }
    }
}
