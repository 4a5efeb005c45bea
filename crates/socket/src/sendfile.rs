//! A file to a connection.
use crate::connection::{Connection, flag, phase};
use crate::send::{PIECE, send_paired};
use crate::{Ending, pairing, roads, table};
use std::io::IoSlice;
use vmmc_os::{Errno, abi, kernel};
use vmmc_protocol::{Reason, record::count};
use vmmc_stream::Road;
use vmmc_sync::Ordering;

/// `sendfile(out, in, offset, count)` to a connection on the VMMC road: the file is read into the ring by way of a small
/// buffer. `Bypass` where the kernel does it better or alone.
pub fn sendfile(out: i32, input: i32, offset: Option<&mut i64>, count: usize) -> Ending {
    let Some(connection) = table::lookup(out) else { return Ending::Bypass };
    if connection.phase.load(Ordering::Relaxed) == phase::REFUSED {
        return Ending::Bypass;
    }
    if !connection.is_paired() || connection.send.road() == Road::Kernel && !connection.sender().may_switch() {
        return sendfile_by_kernel(connection, out, input, offset, count);
    }
    let mut position = match (&offset, kernel::seek_by(input, 0)) {
        (Some(offset), _) => **offset,
        (None, Ok(position)) => position as i64,
        (None, Err(_)) => return sendfile_by_kernel(connection, out, input, offset, count),
    };
    let mut piece = [0u8; 16 * 1024];
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
    // In pieces, as any call that may last: a receiver that asks for the stream back ends it early.
    let may_last =
        connection.is_paired() && !connection.has(flag::NONBLOCKING) && kernel::time_limit(out, true).is_none();
    let most = if may_last { PIECE } else { length };
    let mut total = 0;
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
