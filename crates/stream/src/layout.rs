//! A slot's memory; the picture stands in ARCHITECTURE.md. Offsets in bytes from the slot's start.

/// Sender to me: tail (low 56 bits) and inline length (top byte).
pub const TAIL: usize = 0x000;
/// Sender to me: bytes consumed of my outgoing ring, told along with a put. It may lag behind [`CREDIT`].
pub const CREDIT_ALONG: usize = 0x008;
/// Sender to me: copy of the last small message.
pub const INLINE: usize = 0x010;
/// Bytes that fit inline.
pub const INLINE_MAX: usize = 48;
/// Receiver from me: odd asks to be rung once.
pub const ARMED: usize = 0x040;
/// Receiver from me: 1 when it honours a switch.
pub const READY: usize = 0x048;
/// Receiver from me: how often it has asked for the stream back; the sender holds when it sees a new number.
pub const RETRACT: usize = 0x050;
/// Receiver from me: last epoch of mine that it has completed.
pub const ACK: usize = 0x058;
/// Receiver from me: kernel-road bytes it has received.
pub const RECEIVED: usize = 0x060;
/// Receiver from me: bytes ever given back into my return area; byte n stands at n mod its length.
pub const RETURNED: usize = 0x068;
/// Receiver from me: bytes consumed of my outgoing ring. It may lag behind [`CREDIT_ALONG`]: each word has one writer.
pub const CREDIT: usize = 0x070;
/// Receiver from me: the retract for which all has been given back, so that I may go on.
pub const RELEASED: usize = 0x078;
/// Sender to me: its epoch.
pub const EPOCH: usize = 0x080;
/// Sender to me: kernel-road count at which it switched.
pub const SWITCH_AT: usize = 0x088;
/// Sender to me: ring offset at which it left.
pub const LEAVE_AT: usize = 0x090;
/// Sender to me: kernel-road count at which data starts again.
pub const RESUME_AT: usize = 0x098;
/// Sender to me: doorbells sent since it switched.
pub const RUNG: usize = 0x0a0;
/// Sender to me: non-zero says "ask the kernel now"; an [`End`](crate::End).
pub const FIN: usize = 0x0a8;
/// Sender to me: how many bytes of the ring it uses now. It changes only while the ring is empty.
pub const WINDOW: usize = 0x0b0;
/// Sender to me: kernel-road count at which it holds; [`REFUSED`] if it cannot.
pub const HELD_AT: usize = 0x0b8;
/// In `HELD_AT`: others write to the kernel road past the sender, so it holds nothing.
pub const REFUSED: u64 = u64::MAX;
/// Sender to me: the retract for which it holds, or has refused to.
pub const HELD: usize = 0x0c0;
/// Sender to me: of the bytes given back into its return area, those that it has taken out.
pub const RETAKEN: usize = 0x0c8;
/// Sender to me: the retract that must wait for a kernel call under way, which ends only if I read on.
pub const BUSY: usize = 0x0d0;
/// Receiver from me: the retract whose `HELD_AT` it knows, so that it reads no further; only then may I send what came back.
pub const HOLD_SEEN: usize = 0x0d8;
/// Sender to me: how many bytes right before `RESUME_AT` are the last ones of the ring, sent again.
pub const AGAIN: usize = 0x0e0;
/// End of the words.
pub const WORDS_END: usize = AGAIN + 8;
/// Start of the ring.
pub const RING: usize = 0x1000;
/// No window is smaller, unless the whole ring is.
pub const WINDOW_LEAST: u64 = 64;
/// Bytes of the stash.
pub const STASH_MAX: usize = 64 * 1024;
/// Mask of the offset in the tail word.
pub const TAIL_MASK: u64 = (1 << 56) - 1;

/// The window that a stream over rings of `capacity` bytes begins with: a few pages, so that a connection with little to
/// say takes little memory and stays in the nearest cache.
#[must_use]
pub const fn first_window(capacity: u64) -> u64 {
    let window = capacity / 128;
    let least = if window < WINDOW_LEAST { WINDOW_LEAST } else { window };
    if least > capacity { capacity } else { least }
}

/// Bytes of the return area for rings of `capacity` bytes: a full ring, and as much again of what stands in the kernel's
/// queue behind it. A power of two, as the capacity is.
#[must_use]
pub const fn returns_len(capacity: usize) -> usize {
    2 * capacity
}
/// Start of the return area for rings of `capacity` bytes.
#[must_use]
pub const fn returns(capacity: usize) -> usize {
    RING + capacity
}
/// Start of the stash.
#[must_use]
pub const fn stash(capacity: usize) -> usize {
    returns(capacity) + returns_len(capacity)
}
/// Length of a slot with rings of `capacity` bytes.
#[must_use]
pub const fn slot_len(capacity: usize) -> usize {
    stash(capacity) + STASH_MAX
}

const _: () = assert!(INLINE + INLINE_MAX == ARMED && WORDS_END <= RING && INLINE_MAX < 256);
