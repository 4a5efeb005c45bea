//! Receiving: from the ring, from the kernel road, and the sleep between.
mod sleep;

use crate::connection::{Connection, ConnectionReceiver, flag, phase};
use crate::wait::hot;
use crate::{Ending, ON_STACK, again, doorbell, end, options, pairing, roads, settings, spin, table};
use std::io::IoSliceMut;
use std::time::Duration;
use vmmc_os::{Errno, abi, clock, kernel};
use vmmc_protocol::record::count;
use vmmc_stream::{Ahead, Lie, Next, Road};
use vmmc_sync::Ordering;

/// An empty non-blocking receive asks the kernel for news of the end at most this often: a fifth of the time.
const END_CHECK_MICROS: u32 = 5 * kernel::POLL_MICROS;

/// What one look under the gate led to.
enum Step {
    /// The call is done.
    Done(Result<usize, Errno>),
    /// Look again at once.
    Again,
    /// Nothing there: sleep in the kernel on the socket itself.
    Sleep,
}

/// One receive call's state.
struct Call<'a, 'b> {
    connection: &'static Connection,
    fd: i32,
    bufs: &'a mut [IoSliceMut<'b>],
    flags: i32,
    wanted: usize,
    done: usize,
    /// The kernel said end of stream while this call slept.
    ended: bool,
    /// The sleep ended because a byte stands in the kernel's queue.
    woken: bool,
    /// When this call first slept: `SO_RCVTIMEO` counts from then.
    asleep_since: Option<Duration>,
}

/// `recv`, `read`, `recvfrom`, `recvmsg`, `readv`; flags as for recv(2): PEEK, WAITALL, DONTWAIT, TRUNC.
///
/// Source: recv(2), POSIX `recv`. Async-signal-safe; allocates nothing.
#[inline(always)]
pub fn recv(fd: i32, bufs: &mut [IoSliceMut<'_>], flags: i32) -> Ending {
    let Some(connection) = table::lookup(fd) else { return Ending::Bypass };
    let result = match connection.phase.load(Ordering::Acquire) {
        phase::PAIRED => recv_ring(connection, fd, bufs, flags),
        // Nothing will ever be moved, so nothing need be counted.
        phase::REFUSED => return Ending::Bypass,
        _ => by_kernel(connection, fd, bufs, flags),
    };
    match result {
        Ok(n) => Ending::Handled(n as isize),
        Err(error) => Ending::Failed(error),
    }
}

/// A plain kernel receive, counted: legal as long as this end has not said that it honours a switch.
#[inline(never)]
fn by_kernel(
    connection: &'static Connection,
    fd: i32,
    bufs: &mut [IoSliceMut<'_>],
    flags: i32,
) -> Result<usize, Errno> {
    let Some(among) = connection.recv_gate.among(crate::process::id()) else {
        // A signal handler on the socket that its own thread is at work on.
        return Err(Errno(abi::EAGAIN));
    };
    if connection.recv.is_ready() {
        drop(among);
        return recv_ring(connection, fd, bufs, flags);
    }
    let call = || match bufs {
        [buf] => kernel::recv(fd, buf, flags),
        bufs => kernel::recv_slices(fd, bufs, flags),
    };
    let received = if connection.may_wait(flags) { among.asleep(call)? } else { call()? };
    if flags & abi::MSG_PEEK == 0 && received > 0 {
        connection.recv.received_by_kernel(received as u64);
        account_kernel(connection, received);
        pairing::consider(connection);
    }
    drop(among);
    Ok(received)
}

fn account_kernel(connection: &Connection, received: usize) {
    count(&connection.record.incoming.kernel_bytes, received as u64);
    count(&connection.record.incoming.kernel_messages, 1);
}

/// Waits a while for the ring, as long as that may pay, and takes a short message in a straight line: what a program that
/// exchanges messages does nearly always. [`recv_paired`] looks at everything else.
#[inline(always)]
fn recv_ring(
    connection: &'static Connection,
    fd: i32,
    bufs: &mut [IoSliceMut<'_>],
    flags: i32,
) -> Result<usize, Errno> {
    await_news(connection, fd, flags)?;
    if let [buf] = bufs
        && flags & (abi::MSG_PEEK | abi::MSG_TRUNC | abi::MSG_WAITALL) == 0
        && let Some(taken) = recv_short(connection, fd, buf)
    {
        return Ok(taken);
    }
    recv_paired(connection, fd, bufs, flags)
}

/// A message that stands inline; `None`: nothing has been done.
#[inline(always)]
fn recv_short(connection: &'static Connection, fd: i32, buf: &mut [u8]) -> Option<usize> {
    let receiver = connection.receiver();
    if !receiver.has_short() {
        return None;
    }
    connection.sender().foresee_answer();
    let _alone = connection.recv_gate.try_alone(crate::process::id())?;
    if !table::is_at(fd, connection) {
        return None;
    }
    let taken = receiver.take_short(buf)?;
    account_ring(connection, fd, taken);
    Some(taken)
}

/// On the ring, a call that may wait spins first.
#[inline(always)]
fn await_news(connection: &'static Connection, fd: i32, flags: i32) -> Result<(), Errno> {
    let receiver = connection.receiver();
    let calm = connection.recv.road() == Road::Vmmc && !receiver.has_news() && !receiver.end_hinted();
    if calm && connection.may_wait(flags) { spin_for_news(connection, fd) } else { Ok(()) }
}

#[inline(never)]
fn spin_for_news(connection: &'static Connection, fd: i32) -> Result<(), Errno> {
    let receiver = connection.receiver();
    if receiver.is_rung() && settings::spin_max_micros() > 0 {
        doorbell::hush(connection, fd)?;
    }
    match spin::until(&connection.spin, || receiver.has_news() || receiver.end_hinted()) {
        // Source: signal(7), "Interruption of system calls"; nor is a receive with a time limit restarted.
        Err(by) if !by.restarts || kernel::time_limit(fd, false).is_some() => Err(Errno(abi::EINTR)),
        _ => Ok(()),
    }
}

#[inline(always)]
fn account_ring(connection: &'static Connection, fd: i32, taken: usize) {
    count(&connection.record.incoming.vmmc_bytes, taken as u64);
    count(&connection.record.incoming.vmmc_messages, 1);
    hot::notice(connection, fd);
}

/// After [`await_news`].
#[inline(never)]
fn recv_paired(
    connection: &'static Connection,
    fd: i32,
    bufs: &mut [IoSliceMut<'_>],
    flags: i32,
) -> Result<usize, Errno> {
    let wanted = bufs.iter().map(|buf| buf.len()).sum();
    if wanted == 0 {
        return kernel::recv_slices(fd, bufs, flags);
    }
    if flags & abi::MSG_TRUNC != 0 {
        return match discard(fd, wanted, flags & !abi::MSG_TRUNC) {
            Ending::Handled(n) => Ok(n as usize),
            Ending::Failed(error) => Err(error),
            Ending::Bypass => kernel::recv_slices(fd, bufs, flags),
        };
    }
    let mut call =
        Call { connection, fd, bufs, flags, wanted, done: 0, ended: false, woken: false, asleep_since: None };
    loop {
        let Some(alone) = connection.recv_gate.alone(crate::process::id()) else {
            return by_kernel(connection, fd, call.bufs, flags);
        };
        match call.step() {
            Step::Done(result) => return result,
            Step::Again => drop(alone),
            Step::Sleep => {
                if let Some(result) = call.sleep(alone) {
                    return result;
                }
            }
        }
        if !call.ended
            && let Err(error) = await_news(connection, fd, flags)
        {
            return if call.done > 0 { Ok(call.done) } else { Err(error) };
        }
    }
}

/// MSG_TRUNC on TCP: up to `wanted` bytes are received and dropped, and the program's buffers are left alone; `flags` are the others.
/// Source: tcp(7).
#[cold]
#[inline(never)]
pub fn discard(fd: i32, wanted: usize, flags: i32) -> Ending {
    let (mut scratch, mut done) = ([0u8; ON_STACK], 0);
    while done < wanted {
        let room = scratch.get_mut(..ON_STACK.min(wanted - done)).unwrap_or_default();
        let asked = room.len();
        let more = if done > 0 && flags & abi::MSG_WAITALL == 0 { abi::MSG_DONTWAIT } else { 0 };
        match recv(fd, &mut [IoSliceMut::new(room)], flags | more) {
            // They are counted where they stand.
            Ending::Handled(n @ 1..) if flags & abi::MSG_PEEK != 0 => {
                return Ending::Handled(options::waiting(fd).clamp(n as usize, wanted) as isize);
            }
            Ending::Handled(n) => {
                done += n as usize;
                if (n as usize) < asked {
                    break;
                }
            }
            ending if done == 0 => return ending,
            _ => break,
        }
    }
    Ending::Handled(done as isize)
}

impl Call<'_, '_> {
    fn may_wait(&self) -> bool {
        self.connection.may_wait(self.flags)
    }

    /// What the call returns when it must end with an error or nothing: what it has, if it has something.
    fn end_with(&self, error: Errno) -> Step {
        if self.done > 0 {
            if error.0 != abi::EAGAIN && error.0 != abi::EINTR {
                self.connection.recv_error.store(error.0 as u32, Ordering::Relaxed);
            }
            return Step::Done(Ok(self.done));
        }
        Step::Done(end::received_error(self.connection, error))
    }

    /// The kernel said end of stream. That may be all that is left to say of a reset of which a send of our own was told.
    fn end(&self) -> Step {
        self.connection.set(flag::PEER_FINISHED, true);
        let error = if self.done == 0 { end::kept_error(self.connection) } else { None };
        Step::Done(error.map_or(Ok(self.done), |error| end::received_error(self.connection, error)))
    }

    /// One look, under the receive gate.
    fn step(&mut self) -> Step {
        if !table::is_at(self.fd, self.connection) {
            return Step::Done(match table::entry(self.fd) {
                // Another thread has sandboxed the process meanwhile.
                table::Entry::Plain(_) if self.done == 0 => kernel::recv_slices(self.fd, self.bufs, self.flags),
                table::Entry::Plain(_) => Ok(self.done),
                _ => Err(Errno(abi::EBADF)),
            });
        }
        let receiver = self.connection.receiver();
        match self.look(&receiver) {
            Ok(step) => step,
            Err(lie) => Step::Done(Err(end::punish(self.connection, self.fd, lie))),
        }
    }

    fn look(&mut self, receiver: &ConnectionReceiver<'_>) -> Result<Step, Lie> {
        let was = self.connection.recv.road();
        let next = receiver.look()?;
        if was != self.connection.recv.road() {
            roads::note_incoming(self.connection, self.fd);
        }
        match next {
            Next::Data(_) => self.take(receiver),
            Next::Kernel { limit } if self.connection.recv.road() == Road::Vmmc => {
                self.drop_last_doorbells(receiver, limit)
            }
            Next::Kernel { limit } => self.take_from_kernel(receiver, limit),
            Next::Empty { doorbells } => self.empty(receiver, doorbells),
        }
    }

    /// Bytes wait in the ring or the stash.
    #[inline]
    fn take(&mut self, receiver: &ConnectionReceiver<'_>) -> Result<Step, Lie> {
        let peek = self.flags & abi::MSG_PEEK != 0;
        let taken = self.fill(|at, rest| if peek { receiver.peek(at, rest) } else { receiver.take(rest) })?;
        if peek {
            return self.peek_on(receiver);
        }
        account_ring(self.connection, self.fd, taken);
        if self.done == self.wanted || self.flags & abi::MSG_WAITALL == 0 || !self.may_wait() {
            return Ok(Step::Done(Ok(self.done)));
        }
        Ok(Step::Again)
    }

    /// Has what is left of the buffers filled, one after the other, until one gets less than it has room for: how many bytes
    /// that was. `piece` is told how many came before.
    #[inline]
    fn fill(&mut self, mut piece: impl FnMut(usize, &mut [u8]) -> Result<usize, Lie>) -> Result<usize, Lie> {
        let (mut filled, mut skip) = (0, self.done);
        for buf in self.bufs.iter_mut() {
            let from = skip.min(buf.len());
            skip -= from;
            let Some(rest) = buf.get_mut(from..) else { break };
            let n = piece(filled, rest)?;
            filled += n;
            if n < rest.len() {
                break;
            }
        }
        self.done += filled;
        Ok(filled)
    }

    /// All that memory holds has been peeked at: what the kernel holds behind it is seen, too.
    fn peek_on(&mut self, receiver: &ConnectionReceiver<'_>) -> Result<Step, Lie> {
        let Ahead::Kernel { doorbells } = receiver.ahead()? else { return Ok(Step::Done(Ok(self.done))) };
        if self.done == self.wanted || doorbell::queued(self.fd) <= doorbells {
            return Ok(Step::Done(Ok(self.done)));
        }
        // What was sent again may be needed yet, and then all is there.
        if again::follow(self.connection, self.fd, receiver)? {
            roads::note_incoming(self.connection, self.fd);
            self.done = 0;
            return Ok(Step::Again);
        }
        // Data stands behind them, which wakes whoever they would have woken.
        doorbell::drain(self.connection, self.fd, receiver, doorbells as usize)?;
        let mut skip = self.done;
        for buf in self.bufs.iter_mut() {
            if let Some(room @ [_, ..]) = buf.get_mut(skip..) {
                self.done += kernel::recv(self.fd, room, abi::MSG_DONTWAIT | abi::MSG_PEEK).unwrap_or(0);
                break;
            }
            skip -= buf.len();
        }
        Ok(Step::Done(Ok(self.done)))
    }

    /// `seen` bytes of the kernel road have been peeked at: if those were its last, the ring's are seen, too.
    fn peek_ring_behind(&mut self, receiver: &ConnectionReceiver<'_>, seen: usize) -> Result<(), Lie> {
        let Ahead::Ring { after, .. } = receiver.ahead()? else { return Ok(()) };
        if after == seen as u64 {
            self.fill(|at, rest| receiver.peek_ahead(at, rest))?;
        }
        Ok(())
    }

    /// The sender has left, and its last doorbells stand before what comes next.
    fn drop_last_doorbells(&mut self, receiver: &ConnectionReceiver<'_>, doorbells: usize) -> Result<Step, Lie> {
        let before = self.connection.recv.kernel_bytes();
        let ended = doorbell::drain(self.connection, self.fd, receiver, doorbells)?;
        if self.connection.recv.kernel_bytes() != before {
            return Ok(Step::Again);
        }
        if ended {
            return Ok(self.end());
        }
        let error = self.connection.recv_error.swap(0, Ordering::Relaxed);
        if error != 0 {
            return Ok(self.end_with(Errno(error as i32)));
        }
        let waits = self.may_wait() && (self.done == 0 || self.flags & abi::MSG_WAITALL != 0);
        Ok(if waits { Step::Sleep } else { self.end_with(Errno(abi::EAGAIN)) })
    }

    /// The next bytes come through the kernel.
    fn take_from_kernel(&mut self, receiver: &ConnectionReceiver<'_>, limit: usize) -> Result<Step, Lie> {
        if !self.connection.recv.is_ready() && roads::may_honour_switch(self.connection, self.fd) {
            hot::expect_ring(self.connection, self.fd);
            receiver.set_ready(true);
            return Ok(Step::Again);
        }
        let peek = self.flags & abi::MSG_PEEK;
        let mut skip = self.done;
        for buf in self.bufs.iter_mut() {
            if skip >= buf.len() {
                skip -= buf.len();
                continue;
            }
            let most = (buf.len() - skip).min(limit);
            let Some(room) = buf.get_mut(skip..skip + most) else { break };
            return match kernel::recv(self.fd, room, abi::MSG_DONTWAIT | peek) {
                Ok(0) => Ok(self.end()),
                Ok(n) if peek != 0 => {
                    if receiver.look()? != (Next::Kernel { limit }) {
                        return Ok(Step::Again);
                    }
                    self.done += n;
                    self.peek_ring_behind(receiver, n)?;
                    Ok(Step::Done(Ok(self.done)))
                }
                Ok(n) => {
                    let data = doorbell::hear(self.connection, self.fd, receiver, room.get(..n).unwrap_or_default())?;
                    self.after_kernel(data);
                    // What filled its piece may go on in the next one, or in the ring.
                    let on = n == most || self.flags & abi::MSG_WAITALL != 0 && self.may_wait();
                    let more = data == 0 || on && self.done < self.wanted;
                    Ok(if more { Step::Again } else { Step::Done(Ok(self.done)) })
                }
                Err(Errno(abi::EAGAIN))
                    if self.may_wait() && (self.done == 0 || self.flags & abi::MSG_WAITALL != 0) =>
                {
                    Ok(Step::Sleep)
                }
                Err(error) => Ok(self.end_with(error)),
            };
        }
        Ok(Step::Done(Ok(self.done)))
    }

    fn after_kernel(&mut self, data: usize) {
        self.done += data;
        if data > 0 {
            account_kernel(self.connection, data);
        }
        if self.connection.recv.road() == Road::Vmmc {
            roads::note_incoming(self.connection, self.fd);
        }
    }

    /// On the VMMC road, and the ring is empty.
    fn empty(&mut self, receiver: &ConnectionReceiver<'_>, doorbells: usize) -> Result<Step, Lie> {
        if self.done > 0 && self.flags & abi::MSG_WAITALL == 0 {
            return Ok(Step::Done(Ok(self.done)));
        }
        if self.connection.recv_error.load(Ordering::Relaxed) != 0 {
            return Ok(self.end_with(Errno(self.connection.recv_error.swap(0, Ordering::Relaxed) as i32)));
        }
        if self.ended {
            return Ok(self.end());
        }
        // A byte that nobody announced is looked at too: the stream says that a stranger wrote it.
        let doorbells = if self.woken { doorbells.max(1) } else { doorbells };
        self.woken = false;
        if doorbells > 0 {
            self.ended = doorbell::take(self.connection, self.fd, receiver, doorbells)?;
            if self.ended || receiver.has_news() || self.connection.recv_error.load(Ordering::Relaxed) != 0 {
                return Ok(Step::Again);
            }
        }
        if !self.may_wait() {
            return Ok(self.ask_kernel());
        }
        receiver.arm();
        Ok(if receiver.has_news() { Step::Again } else { Step::Sleep })
    }

    /// A non-blocking receive found nothing: now and then the kernel is asked whether the connection has ended.
    fn ask_kernel(&mut self) -> Step {
        let now = clock::ticks();
        let lately =
            now.wrapping_sub(self.connection.asked_at.load(Ordering::Relaxed)) < settings::ticks(END_CHECK_MICROS);
        // An end that has been told is told again.
        if lately && !self.connection.has(flag::PEER_FINISHED) && !self.connection.receiver().end_hinted() {
            return self.end_with(Errno(abi::EAGAIN));
        }
        self.connection.asked_at.store(now, Ordering::Relaxed);
        match kernel::recv(self.fd, &mut [0], abi::MSG_DONTWAIT | abi::MSG_PEEK) {
            Ok(0) => {
                self.ended = true;
                Step::Again
            }
            Ok(_) => {
                self.woken = true;
                Step::Again
            }
            Err(error) => self.end_with(error),
        }
    }
}
