//! A sender that leaves the ring while bytes lie unread there sends them again on the kernel road, as doorbells. A receiver that
//! reads on takes them out of the ring and drops these; one that must give the ring up, and has nobody left to give it back to, drops
//! what it has read already, and leaves the rest to whoever reads the kernel's queue from then on.
use crate::connection::{Connection, ConnectionReceiver, ConnectionSender, flag};
use crate::{ON_STACK, doorbell, end, settings, spin};
use vmmc_os::{abi, kernel, process};
use vmmc_protocol::Reason;
use vmmc_stream::Lie;

/// A ring that was only full is sent again if it is no larger than this, or the sender has had the time to wait for room: as a rule
/// it is read, and then that was in vain.
const OVERFLOW_MOST: u64 = 256 * 1024;
/// What is sent again ahead of the next bytes for a peer that has finished is no more than this: it goes into one segment with them, so
/// that a peer that is gone answers no earlier than it would have answered them.
const FINISHED_MOST: u64 = 32 * 1024;
/// The kernel takes about so many bytes in a microsecond. A receiver that is at work is faster, so it is first waited for as long
/// as sending again would take.
const BYTES_A_MICROSECOND: u64 = 4096;
/// Longest wait for what is to be dropped, in rounds of [`ROUND_MICROS`]: the kernel has not moved it over yet.
const ROUNDS: u32 = 200;
const ROUND_MICROS: u32 = 100;

/// The stream is about to leave the ring, for `reason`: how many of the bytes there it has sent again. The send gate is held.
pub(crate) fn send(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>, reason: Reason) -> u64 {
    let most = match reason {
        Reason::PEER_FINISHED => FINISHED_MOST,
        Reason::RING_FULL if connection.has(flag::NONBLOCKING) => OVERFLOW_MOST,
        _ => u64::MAX,
    };
    let unread = sender.unread().unwrap_or(0);
    if unread == 0 || unread > most || connection.has(flag::BROKEN) {
        return 0;
    }
    let waits = reason != Reason::RING_FULL && settings::spin_max_micros() > 0;
    if waits && spin::at_most((unread / BYTES_A_MICROSECOND) as u32, || sender.is_drained()) {
        return 0;
    }
    // Where it has read all nothing is to be answered; and an error is the program's to hear.
    if end::has_no_reader(connection, fd, sender) {
        return 0;
    }
    send_all(connection, fd, sender, sender.unread().unwrap_or(0), reason == Reason::PEER_FINISHED)
}

/// All of the ring's last `unread` bytes, or 0: the kernel has no room for them, and some doorbells too many were sent. `goes_on`: more
/// is sent at once, and may stand in one segment with them.
#[cold]
#[inline(never)]
fn send_all(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>, unread: u64, goes_on: bool) -> u64 {
    let (mut piece, mut left) = ([0u8; ON_STACK], unread);
    while left > 0 {
        let n = sender.read_back(left, &mut piece);
        sender.ringing(n as u64);
        let bytes = piece.get(..n).unwrap_or_default();
        // The kernel makes large segments of them.
        let more = if n as u64 == left && !goes_on { 0 } else { abi::MSG_MORE };
        let sent = kernel::send(fd, bytes, abi::MSG_DONTWAIT | abi::MSG_NOSIGNAL | more).unwrap_or_else(|error| {
            end::keep_error(connection, error);
            0
        });
        if sent < n {
            sender.not_rung((n - sent) as u64);
        }
        left -= sent as u64;
        if sent < n || n == 0 {
            return 0;
        }
    }
    unread
}

/// Gives the ring up if the kernel's queue holds what is unread: whether it did. The receive gate is held.
pub(crate) fn follow(connection: &'static Connection, fd: i32, receiver: &ConnectionReceiver<'_>) -> Result<bool, Lie> {
    for _ in 0..ROUNDS {
        let Some(before) = receiver.follow_again()? else { return Ok(false) };
        if before == 0 {
            return Ok(true);
        }
        let received = connection.recv.kernel_bytes();
        if doorbell::drain(connection, fd, receiver, before)? {
            return Ok(false);
        }
        if connection.recv.kernel_bytes() == received {
            process::sleep_micros(ROUND_MICROS);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ending, data, options, table, tests};
    use std::io::{IoSlice, IoSliceMut};
    use vmmc_os::Errno;

    /// Whether the program hears of a reset by `hear` if the ring's last bytes have been sent again since it came.
    fn is_heard(hear: fn(i32) -> bool) -> bool {
        let (here, there) = tests::ends_on_ring();
        tests::send(here, b"unread");
        kernel::disconnect(there);
        while !end::is_gone(here) {
            std::thread::yield_now();
        }
        let connection = table::lookup(here).unwrap();
        let sender = connection.sender();
        sender.leave_again(send_all(connection, here, &sender, 6, false));
        hear(here)
    }

    #[test]
    fn an_error_that_what_is_sent_again_meets_is_the_program_s() {
        const RESET: Ending = Ending::Failed(Errno(abi::ECONNRESET));
        assert!(is_heard(|fd| data::send(fd, &[IoSlice::new(b"x")], 0) == RESET), "by a send");
        assert!(is_heard(|fd| data::recv(fd, &mut [IoSliceMut::new(&mut [0])], 0) == RESET), "by a receive");
        let asked = |fd| {
            let mut error = [0; 4];
            let ending = options::getsockopt(fd, abi::SOL_SOCKET, abi::SO_ERROR, &mut error);
            ending == Ending::Handled(4) && error == abi::ECONNRESET.to_ne_bytes()
        };
        assert!(is_heard(asked), "if it asks");
    }
}
