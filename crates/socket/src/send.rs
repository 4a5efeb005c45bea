//! Sending: which road, and what to do when the ring is full.
use crate::connection::{Connection, ConnectionSender, flag, phase};
use crate::gate::{Alone, Among};
use crate::spin::Interrupted;
use crate::{Ending, doorbell, end, options, pairing, roads, settings, spin, table};
use std::io::IoSlice;
use vmmc_os::{Errno, abi, clock, kernel, process, signal};
use vmmc_protocol::{Reason, record::count};
use vmmc_stream::{Lie, Road};
use vmmc_sync::Ordering;

/// How long a sender with a full ring waits for the receiver before it moves back to the kernel road.
const ROOM_WAIT_BLOCKING_MICROS: u32 = 200;
const ROOM_WAIT_NONBLOCKING_MICROS: u32 = 20;
/// A blocking sender then sleeps so many times this long: a receiver that lost its processor for a moment gets it back.
const ROOM_SLEEPS: u32 = 20;
const ROOM_SLEEP_MICROS: u32 = 100;
/// A sender with unread bytes out looks this often whether the peer still lives, and asks the kernel if it has received
/// nothing since: a hundredth of the time or little more. It stands still meanwhile, and a receiver that sleeps over it costs
/// a doorbell, which is dearer still.
const PEER_CHECK_MICROS: u32 = 100 * kernel::POLL_MICROS;
/// A blocking kernel call for a paired stream sends at most so much.
pub(crate) const PIECE: usize = 64 * 1024;
/// A signal that comes while so little is copied may have come before the call.
const COPIED_SOON: usize = 256 * 1024;
/// So many times a call lets others end first, each [`ROOM_SLEEP_MICROS`] long.
const STEP_ASIDE_ROUNDS: u32 = 20_000;

/// `send`, `write`, `sendto` on a connection, `sendmsg` without control data, `writev`; flags as for send(2).
///
/// Source: send(2), POSIX `send`. Async-signal-safe; allocates nothing.
#[inline(always)]
pub fn send(fd: i32, bufs: &[IoSlice<'_>], flags: i32) -> Ending {
    let Some(connection) = table::lookup(fd) else { return Ending::Bypass };
    let result = match connection.phase.load(Ordering::Acquire) {
        phase::PAIRED => match bufs {
            [buf] if send_short(connection, fd, buf) => Ok(buf.len()),
            _ => send_paired(connection, fd, bufs, flags),
        },
        // Nothing will ever be moved, so nothing need be counted.
        phase::REFUSED => return Ending::Bypass,
        _ => by_kernel(connection, fd, bufs, flags),
    };
    match result {
        Ok(n) => Ending::Handled(n as isize),
        Err(error) => Ending::Failed(error),
    }
}

/// A short message into an empty ring, with nothing else to be done: what a program that exchanges messages does nearly
/// always, in a straight line. `false`: [`send_paired`] has to look at it, and nothing has been done.
#[inline(always)]
fn send_short(connection: &'static Connection, fd: i32, data: &[u8]) -> bool {
    let Some(_alone) = connection.send_gate.try_alone(crate::process::id()) else { return false };
    let sender = connection.sender();
    let put = table::is_at(fd, connection)
        && !connection.has(flag::PEER_FINISHED | flag::SHUT_DUE)
        && connection.send_error.load(Ordering::Relaxed) == 0
        && !sender.is_end_hinted()
        && sender.put_short(data);
    if put {
        ring_if_owed(connection, fd, &sender);
        account(connection, data.len());
    }
    put
}

/// A plain kernel send, counted.
#[inline(never)]
fn by_kernel(connection: &'static Connection, fd: i32, bufs: &[IoSlice<'_>], flags: i32) -> Result<usize, Errno> {
    let Some(among) = connection.send_gate.among(crate::process::id()) else {
        // A signal handler on the socket that its own thread is at work on.
        return Err(Errno(abi::EAGAIN));
    };
    if connection.send.road() == Road::Vmmc && connection.is_paired() {
        drop(among);
        return send_paired(connection, fd, bufs, flags);
    }
    kernel_call(connection, fd, bufs, flags, &among)
}

fn kernel_call(
    connection: &'static Connection,
    fd: i32,
    bufs: &[IoSlice<'_>],
    flags: i32,
    among: &Among<'_>,
) -> Result<usize, Errno> {
    if is_swallowed(connection, fd)? {
        let swallowed = bufs.iter().map(|buf| buf.len()).sum();
        sent_by_kernel(connection, swallowed);
        return Ok(swallowed);
    }
    let call = || match bufs {
        [buf] => kernel::send(fd, buf, flags),
        bufs => kernel::send_slices(fd, bufs, flags),
    };
    let sent = if connection.may_wait(flags) { among.asleep(call)? } else { call()? };
    sent_by_kernel(connection, sent);
    Ok(sent)
}

/// What comes before a send by the kernel: whether it is not to be made, and counts as made all the same (see [`end::swallows`]). The
/// error is one that the program has still to hear.
pub(crate) fn is_swallowed(connection: &'static Connection, fd: i32) -> Result<bool, Errno> {
    options::shut_if_due(connection, fd, false);
    if connection.has(flag::FALSE_RESET) && end::swallows(connection, fd) {
        return Ok(true);
    }
    end::kept_error(connection).map_or(Ok(false), Err)
}

/// Counts what one call of the kernel's has sent.
pub(crate) fn sent_by_kernel(connection: &'static Connection, sent: usize) {
    connection.send.sent_by_kernel(sent as u64);
    let record = &connection.record.outgoing;
    count(&record.kernel_bytes, sent as u64);
    count(&record.kernel_messages, 1);
    pairing::consider(connection);
}

/// How far one look at the roads got with a call.
struct Progress {
    /// Bytes sent by it.
    sent: usize,
    /// The stream is on another road by now, or the receiver asks for it: the call goes on from there.
    again: bool,
}

#[inline(never)]
pub(crate) fn send_paired(
    connection: &'static Connection,
    fd: i32,
    bufs: &[IoSlice<'_>],
    flags: i32,
) -> Result<usize, Errno> {
    let mut call = Call { connection, fd, bufs, from: 0, left: bufs.iter().map(|buf| buf.len()).sum(), flags };
    loop {
        match call.look() {
            Ok(Progress { sent, again: true }) => call.went_on(sent),
            Ok(Progress { sent, .. }) => return Ok(call.from + sent),
            Err(error) if call.from == 0 => return Err(error),
            Err(_) => return Ok(call.from),
        }
    }
}

/// One send call's state.
#[derive(Clone, Copy)]
struct Call<'a, 'b> {
    connection: &'static Connection,
    fd: i32,
    bufs: &'a [IoSlice<'b>],
    /// Bytes that have been sent.
    from: usize,
    /// Bytes that have not.
    left: usize,
    flags: i32,
}

impl Call<'_, '_> {
    fn waits(&self) -> bool {
        self.connection.may_wait(self.flags)
    }

    /// So many more bytes are sent. A call that has sent something says so, and raises no signal.
    fn went_on(&mut self, sent: usize) {
        self.from += sent;
        self.left -= sent.min(self.left);
        self.flags |= if self.from > 0 { abi::MSG_NOSIGNAL } else { 0 };
    }

    fn look(&self) -> Result<Progress, Errno> {
        let (connection, fd) = (self.connection, self.fd);
        let sender = connection.sender();
        let on_kernel = connection.send.road() == Road::Kernel;
        if connection.has(flag::SEND_SHUT | flag::BROKEN) && on_kernel
            || on_kernel && !sender.may_switch() && !is_asked_for(connection, &sender)
            || self.left == 0
        {
            return self.by_kernel();
        }
        let wait = self.waits();
        let Some(alone) = alone(connection, &sender, wait)? else { return self.by_kernel() };
        if !table::is_at(fd, connection) {
            return Err(Errno(abi::EBADF));
        }
        options::shut_if_due(connection, fd, true);
        if let Some(error) = end::kept_error(connection) {
            return Err(error);
        }
        match roads::settle_return(connection, fd, &sender) {
            Err(Errno(abi::EAGAIN)) if wait => {
                drop(alone);
                return self.await_settled();
            }
            settled => settled?,
        }
        if connection.send.road() == Road::Kernel {
            match roads::try_switch(connection, fd, &sender, wait) {
                Ok(true) => {}
                Ok(false) => return self.by_kernel_among(&alone.among()),
                Err(by) => return self.interrupted(0, &by),
            }
        }
        let (put, interrupted) = put_all(self, &sender, wait).map_err(|lie| end::punish(connection, fd, lie))?;
        if let Some(by) = interrupted {
            return self.interrupted(put, &by);
        }
        if put == self.left || sender.is_retracted() {
            return Ok(Progress { sent: put, again: put < self.left });
        }
        // The ring is full and the stream has left it: the rest goes down the kernel road, whose waiting and errors count.
        let mut rest = *self;
        rest.went_on(put);
        match rest.by_kernel_among(&alone.among()) {
            Ok(Progress { sent, again }) => Ok(Progress { sent: put + sent, again }),
            Err(_) if put > 0 => Ok(Progress { sent: put, again: false }),
            Err(error) => Err(error),
        }
    }

    /// The peer is yet to give bytes back, or the kernel to take them, and they go first. It may never happen, and the gate is open
    /// meanwhile: others may close the connection, shut it down or end the process.
    #[cold]
    fn await_settled(&self) -> Result<Progress, Errno> {
        let (connection, fd, sender) = (self.connection, self.fd, self.connection.sender());
        let until = kernel::time_limit(fd, true).map(|limit| clock::monotonic() + limit);
        loop {
            let asleep = || {
                process::sleep_micros(roads::ROUND_MICROS);
                false
            };
            if let Err(by) = spin::heeding(None, asleep) {
                return self.interrupted(0, &by);
            }
            // Not every system tells of an end behind a doorbell.
            doorbell::hush(connection, fd)?;
            let alone = connection.send_gate.try_alone(crate::process::id());
            let settled = alone.map(|_alone| match table::is_at(fd, connection) {
                true => roads::settle_return(connection, fd, &sender),
                false => Err(Errno(abi::EBADF)),
            });
            match settled {
                None | Some(Err(Errno(abi::EAGAIN))) => {}
                Some(settled) => return settled.map(|()| Progress { sent: 0, again: true }),
            }
            if until.is_some_and(|until| clock::monotonic() > until) {
                return Err(Errno(abi::EAGAIN));
            }
        }
    }

    /// A signal handler has run while there was no room. Source: signal(7), "Interruption of system calls".
    fn interrupted(&self, put: usize, by: &Interrupted) -> Result<Progress, Errno> {
        let is_begun = self.from + put > 0;
        if !is_begun && (!by.restarts || kernel::time_limit(self.fd, true).is_some()) {
            return Err(Errno(abi::EINTR));
        }
        Ok(Progress { sent: put, again: !is_begun })
    }

    /// The kernel road, unless the stream has moved meanwhile. Empty sends go to the kernel for its own answer.
    fn by_kernel(&self) -> Result<Progress, Errno> {
        if self.left == 0 {
            return kernel::send_slices(self.fd, self.bufs, self.flags).map(|sent| Progress { sent, again: false });
        }
        let Some(among) = self.connection.send_gate.among(crate::process::id()) else { return Err(Errno(abi::EAGAIN)) };
        if self.connection.send.road() == Road::Vmmc {
            return Ok(Progress { sent: 0, again: true });
        }
        self.by_kernel_among(&among)
    }

    /// One kernel call, or several if it may last: a receiver that asks for the stream back is heard between them.
    fn by_kernel_among(&self, among: &Among<'_>) -> Result<Progress, Errno> {
        // A time limit is for the whole call, so the call is made whole; and it ends by itself. So does one to a peer that is gone, whose
        // answer to the first piece would be the next one's error.
        let may_last = self.left > PIECE
            && self.waits()
            && kernel::time_limit(self.fd, true).is_none()
            && !(self.connection.is_paired()
                && end::has_no_reader(self.connection, self.fd, &self.connection.sender()));
        if self.from == 0 && !may_last {
            let sent = kernel_call(self.connection, self.fd, self.bufs, self.flags, among)?;
            return Ok(Progress { sent, again: false });
        }
        let mut call = *self;
        while call.left > 0 {
            let (wanted, sent) = call.kernel_piece(if may_last { PIECE } else { usize::MAX }, among);
            match sent {
                Ok(sent) => call.went_on(sent),
                Err(error) if call.from == self.from => return Err(error),
                Err(_) => break,
            }
            let is_asked = self.connection.sender().is_retracted();
            if is_asked || sent != Ok(wanted) {
                return Ok(Progress {
                    sent: call.from - self.from,
                    again: is_asked && sent == Ok(wanted) && call.left > 0,
                });
            }
        }
        Ok(Progress { sent: call.from - self.from, again: false })
    }

    /// Sends whole buffers of together at most `most` bytes, or a part of one: how much that was to be, and was.
    fn kernel_piece(&self, most: usize, among: &Among<'_>) -> (usize, Result<usize, Errno>) {
        let (mut bufs, mut skip) = (self.bufs, self.from);
        while let [first, rest @ ..] = bufs
            && first.len() <= skip
        {
            skip -= first.len();
            bufs = rest;
        }
        let mut whole = 0;
        let fits = |buf: &&IoSlice<'_>| {
            whole += buf.len();
            whole <= most
        };
        let run = if skip == 0 { bufs.iter().take_while(fits).count() } else { 0 };
        let send = |bufs: &[IoSlice<'_>]| {
            let wanted = bufs.iter().map(|buf| buf.len()).sum();
            (wanted, kernel_call(self.connection, self.fd, bufs, self.flags, among))
        };
        if run > 0 {
            return send(bufs.get(..run).unwrap_or_default());
        }
        let rest = bufs.first().and_then(|buf| buf.get(skip..)).unwrap_or_default();
        send(&[IoSlice::new(rest.get(..most).unwrap_or(rest))])
    }
}

/// Whether the receiver asks for the stream back, or gives it back.
fn is_asked_for(connection: &Connection, sender: &ConnectionSender<'_>) -> bool {
    connection.send.owes_return() || sender.is_retracted()
}

/// The send gate, alone; `None` if kernel calls are under way. While the receiver asks for the stream, calls let those that are
/// under way end first, or one might always be.
fn alone(
    connection: &'static Connection,
    sender: &ConnectionSender<'_>,
    wait: bool,
) -> Result<Option<Alone<'static>>, Errno> {
    for _ in 0..STEP_ASIDE_ROUNDS {
        let alone = connection.send_gate.alone(crate::process::id());
        if alone.is_some() || !is_asked_for(connection, sender) {
            return Ok(alone);
        }
        sender.tell_busy();
        if !wait {
            return Err(Errno(abi::EAGAIN));
        }
        process::sleep_micros(ROOM_SLEEP_MICROS);
    }
    Ok(None)
}

/// Puts what there is room for, waiting a bounded while where there is none. Fewer bytes than given: the stream has left,
/// or the receiver asks for it back, or the wait was interrupted.
fn put_all(
    call: &Call<'_, '_>,
    sender: &ConnectionSender<'_>,
    wait: bool,
) -> Result<(usize, Option<Interrupted>), Lie> {
    let (connection, fd) = (call.connection, call.fd);
    let (mut done, mut skip, mut interrupted) = (0, call.from, None);
    let mut held = (wait && call.left > COPIED_SOON).then(signal::hold);
    if (!sender.is_drained() || sender.is_end_hinted() || connection.has(flag::PEER_FINISHED))
        && peer_has_ended(connection, fd, sender)
    {
        roads::leave(connection, fd, sender, Reason::PEER_FINISHED);
        return Ok((0, None));
    }
    'all: for buf in call.bufs {
        let mut rest = buf.get(skip.min(buf.len())..).unwrap_or_default();
        skip -= skip.min(buf.len());
        while !rest.is_empty() {
            let n = sender.put(rest)?;
            rest = rest.get(n..).unwrap_or_default();
            done += n;
            // The unread bytes of a stream that is asked for come back, and there is room for one ring's more than were there.
            if sender.is_retracted() {
                break 'all;
            }
            if n == 0 {
                ring_if_owed(connection, fd, sender);
                held = held.or_else(|| wait.then(signal::hold));
                match wait_for_room(sender, rest.len(), held.as_ref()) {
                    Ok(true) => {}
                    Ok(false) if sender.is_retracted() => {}
                    Ok(false) => {
                        roads::leave(connection, fd, sender, Reason::RING_FULL);
                        break 'all;
                    }
                    Err(by) => {
                        interrupted = Some(by);
                        break 'all;
                    }
                }
            }
        }
    }
    ring_if_owed(connection, fd, sender);
    account(connection, done);
    Ok((done, interrupted))
}

#[inline(always)]
fn account(connection: &Connection, done: usize) {
    count(&connection.record.outgoing.vmmc_bytes, done as u64);
    count(&connection.record.outgoing.vmmc_messages, 1);
}

#[inline]
fn ring_if_owed(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>) {
    if sender.must_ring() {
        doorbell::ring(connection, fd, sender);
    }
}

/// A blocking call has its signals held back: one of them ends a wait as it ends the kernel's.
fn wait_for_room(
    sender: &ConnectionSender<'_>,
    wanted: usize,
    blocking: Option<&signal::Held>,
) -> Result<bool, Interrupted> {
    let enough = wanted.min(32 * 1024);
    let room = |least| sender.room().map_or(true, |room| room >= least);
    let spun = |micros| settings::spin_max_micros() > 0 && spin::at_most(micros, || room(enough));
    if spun(ROOM_WAIT_NONBLOCKING_MICROS) {
        return Ok(true);
    }
    let Some(held) = blocking else { return Ok(room(1)) };
    let slept = || {
        process::sleep_micros(ROOM_SLEEP_MICROS);
        room(1)
    };
    let has_room = spun(ROOM_WAIT_BLOCKING_MICROS) || room(1) || (0..ROOM_SLEEPS).any(|_| slept());
    held.let_in(None).map_or(Ok(has_room), |restarts| Err(Interrupted { restarts }))
}

/// Whether the kernel knows of the connection's end. Asked now and then only, while bytes lie unread at a peer that
/// receives nothing, and always once the peer has hinted at it.
fn peer_has_ended(connection: &Connection, fd: i32, sender: &ConnectionSender<'_>) -> bool {
    if connection.has(flag::PEER_FINISHED) {
        return true;
    }
    let (now, period) = (clock::ticks(), settings::ticks(PEER_CHECK_MICROS));
    let since = now.wrapping_sub(connection.asked_at.load(Ordering::Relaxed));
    let hinted = sender.is_end_hinted();
    if since < period && !hinted {
        return false;
    }
    connection.asked_at.store(now, Ordering::Relaxed);
    let consumed = sender.consumed();
    let received = connection.heard.swap(consumed, Ordering::Relaxed) != consumed && since < 2 * period;
    (hinted || !received) && end::find_ended(connection, fd)
}
