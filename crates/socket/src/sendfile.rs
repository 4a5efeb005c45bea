//! A file to a connection.
use crate::connection::{Connection, flag, phase};
use crate::send::{PIECE, is_swallowed, send_paired, sent_by_kernel};
use crate::{Ending, ON_STACK, end, pairing, roads, table};
use core::cell::UnsafeCell;
use std::io::IoSlice;
use vmmc_os::{Errno, abi, kernel};
use vmmc_protocol::{Reason, record::count};
use vmmc_stream::Road;
use vmmc_sync::{AtomicU32, Ordering};

/// What stands between the file and the ring: large, for smaller pieces take more system calls (1 KiB twice the time), and so not on
/// the stack.
const LARGE: usize = 16 * 1024;
/// So many calls at once have a large piece; others make do with a small one.
const LARGE_COUNT: usize = 8;

struct Pieces([UnsafeCell<[u8; LARGE]>; LARGE_COUNT]);

// SAFETY: a bit in `LENT` lets one call at a time reach its piece.
unsafe impl Sync for Pieces {}

static PIECES: Pieces = Pieces([const { UnsafeCell::new([0; LARGE]) }; LARGE_COUNT]);
/// A bit for each piece that is lent. One whose call was cancelled, or left by a jump, stays so.
static LENT: AtomicU32 = AtomicU32::new(0);

/// A large piece, until dropped.
struct Lent(u32);

impl Lent {
    fn take() -> Option<Self> {
        let lend = |lent: u32| (lent.trailing_ones() < LARGE_COUNT as u32).then_some(lent | (lent + 1));
        LENT.fetch_update(Ordering::Acquire, Ordering::Relaxed, lend).ok().map(|lent| Self(lent.trailing_ones()))
    }

    fn bytes(&mut self) -> &mut [u8] {
        let Some(piece) = PIECES.0.get(self.0 as usize) else { return &mut [] };
        // SAFETY: the bit of this piece was clear, and is set as long as `self` lives.
        unsafe { &mut *piece.get() }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        LENT.fetch_and(!(1 << self.0), Ordering::Release);
    }
}

/// `sendfile(out, in, offset, count)` to a connection on the VMMC road: the file is read into the ring by way of a
/// buffer. `Bypass` where the kernel does it better or alone.
pub fn sendfile(out: i32, input: i32, offset: Option<&mut i64>, count: usize) -> Ending {
    let Some(connection) = table::lookup(out) else { return Ending::Bypass };
    if connection.phase.load(Ordering::Relaxed) == phase::REFUSED {
        return Ending::Bypass;
    }
    let is_by_kernel =
        !connection.is_paired() || connection.send.road() == Road::Kernel && !connection.sender().may_switch();
    if is_by_kernel || count > LARGE && has_left_at_end(connection, out) {
        return sendfile_by_kernel(connection, out, input, offset, count);
    }
    let mut position = match (&offset, kernel::seek_by(input, 0)) {
        (Some(offset), _) => **offset,
        (None, Ok(position)) => position as i64,
        (None, Err(_)) => return sendfile_by_kernel(connection, out, input, offset, count),
    };
    let (mut small, mut large) = ([0u8; ON_STACK], Lent::take());
    let piece = large.as_mut().map_or(&mut small[..], Lent::bytes);
    let (start, mut failed) = (position, None);
    while ((position - start) as usize) < count {
        let want = piece.len().min(count - (position - start) as usize);
        let read = kernel::pread(input, piece.get_mut(..want).unwrap_or_default(), position);
        let Ok(read @ 1..) = read else {
            failed = read.err();
            break;
        };
        let sent = match send_paired(connection, out, &[IoSlice::new(piece.get(..read).unwrap_or_default())], 0) {
            Ok(sent) => sent,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        position += sent as i64;
        if sent < read {
            break;
        }
    }
    let sent = position - start;
    match (sent, failed) {
        (0, Some(error)) => return Ending::Failed(error),
        (sent, _) => match offset {
            Some(offset) => *offset = position,
            None => drop(kernel::seek_by(input, sent)),
        },
    }
    Ending::Handled(sent as isize)
}

/// The answer of a peer that is gone to a piece would be the next one's error; the kernel hands more over at once.
fn has_left_at_end(connection: &'static Connection, out: i32) -> bool {
    let sender = connection.sender();
    if !end::has_no_reader(connection, out, &sender) {
        return false;
    }
    let alone = connection.send_gate.alone(crate::process::id());
    if alone.is_some() && table::is_at(out, connection) {
        end::find_ended(connection, out);
        roads::leave(connection, out, &sender, Reason::PEER_FINISHED);
    }
    connection.send.road() == Road::Kernel
}

/// Passes over what the kernel would hand over at once of `length` bytes of a file: how much that is.
#[cold]
#[inline(never)]
fn swallow(connection: &'static Connection, input: i32, offset: Option<&mut i64>, length: usize) -> usize {
    let Some(from) = offset.as_deref().copied().or_else(|| Some(kernel::seek_by(input, 0).ok()? as i64)) else {
        return 0;
    };
    let (mut piece, mut done, most) = ([0; ON_STACK], 0, length.min(PIECE));
    while done < most {
        let room = piece.get_mut(..ON_STACK.min(most - done)).unwrap_or_default();
        let Ok(read @ 1..) = kernel::pread(input, room, from + done as i64) else { break };
        done += read;
    }
    match offset {
        Some(offset) => *offset += done as i64,
        None => drop(kernel::seek_by(input, done as i64)),
    }
    sent_by_kernel(connection, done);
    done
}

fn sendfile_by_kernel(
    connection: &'static Connection,
    out: i32,
    input: i32,
    mut offset: Option<&mut i64>,
    length: usize,
) -> Ending {
    let Some(among) = connection.send_gate.among(crate::process::id()) else {
        return Ending::Failed(Errno(abi::EAGAIN));
    };
    if connection.send.road() == Road::Vmmc {
        drop(among);
        roads::move_back(out, Reason::KERNEL_FEATURE);
        return sendfile_by_kernel(connection, out, input, offset, length);
    }
    let mut total = match is_swallowed(connection, out) {
        Ok(false) => 0,
        Ok(true) => swallow(connection, input, offset.as_deref_mut(), length),
        Err(error) => return Ending::Failed(error),
    };
    // In pieces, as any call that may last: a receiver that asks for the stream back ends it early.
    let may_last =
        connection.is_paired() && !connection.has(flag::NONBLOCKING) && kernel::time_limit(out, true).is_none();
    let most = if may_last { PIECE } else { length };
    while total < length && !(total > 0 && may_last && connection.sender().is_retracted()) {
        let wanted = most.min(length - total);
        let sent = match kernel::sendfile(out, input, offset.as_deref_mut(), wanted) {
            Ok(sent) => sent,
            Err(error) if total == 0 => return Ending::Failed(error),
            Err(_) => break,
        };
        connection.send.sent_by_kernel(sent as u64);
        count(&connection.record.outgoing.kernel_bytes, sent as u64);
        total += sent;
        if sent < wanted {
            break;
        }
    }
    count(&connection.record.outgoing.kernel_messages, 1);
    pairing::consider(connection);
    Ending::Handled(total as isize)
}
