//! `poll` and `ppoll`.
use super::{Deadline, KERNEL_LOOK_MICROS, asleep, hot, interrupted, nested, ready, shared};
use crate::connection::Connection;
use crate::{Ending, settings, spin, table};
use std::time::Duration;
use vmmc_os::{Errno, PollFd, abi, clock, kernel};
use vmmc_stream::Road;
use vmmc_sync::{AtomicU32, Ordering};

const READABLE: i16 = abi::POLLIN | abi::POLLRDNORM;
const WRITABLE: i16 = abi::POLLOUT | abi::POLLWRNORM;
/// A poll that costs no more than this is made at once.
const POLL_IS_CHEAP_MICROS: u32 = 5;

/// Entries, timeout and signal mask as for ppoll(2); how many entries have events.
type KernelWait = fn(&mut [PollFd], Option<Duration>, Option<u64>) -> Result<usize, Errno>;

/// How the kernel is asked by one of the calls that wait for a list of descriptors.
pub(super) struct Kernel {
    /// What is true now; events that do not count may be among them.
    pub(super) ask: KernelWait,
    pub(super) sleep: KernelWait,
    /// What may be reported to an entry that asks for these events.
    pub(super) counted: fn(i16) -> i16,
}

const POLL: Kernel = Kernel {
    ask: kernel::poll,
    sleep: kernel::poll,
    counted: |events| events | abi::POLLERR | abi::POLLHUP | abi::POLLNVAL,
};

/// What spinning in poll and select has lately paid in this process.
static SPIN: AtomicU32 = AtomicU32::new(0);

/// `poll`, `ppoll`: `timeout` `None` waits for ever; `sigmask` is the raw 8-byte kernel signal set to put in force while asleep.
///
/// Source: poll(2). `Bypass` if no descriptor has anything on the VMMC road.
pub fn poll(fds: &mut [PollFd], timeout: Option<Duration>, sigmask: Option<u64>) -> Ending {
    if !fds.iter().any(|entry| on_ring(entry).is_some() || nested(entry).is_some()) {
        return Ending::Bypass;
    }
    match wait(&POLL, fds, timeout, sigmask) {
        Ok(n) => Ending::Handled(n as isize),
        Err(error) => Ending::Failed(error),
    }
}

/// The connection, if it is one whose data comes over VMMC.
fn on_ring(entry: &PollFd) -> Option<&'static Connection> {
    table::lookup(entry.fd).filter(|connection| ready::on_ring(connection))
}

/// The epoll set, if it is one with anything of ours in it.
fn nested(entry: &PollFd) -> Option<usize> {
    match table::entry(entry.fd) {
        table::Entry::Epoll(set) if shared::is_accelerated(set) => Some(set),
        _ => None,
    }
}

/// What the kernel alone has reported. Where only what goes out is on the ring, it takes an end for a reset, too.
pub fn polled(fds: &mut [PollFd]) {
    for entry in fds.iter_mut().filter(|entry| entry.revents & (abi::POLLERR | abi::POLLHUP) != 0) {
        let Some(connection) = table::lookup(entry.fd) else { continue };
        let bits = ready::without_false_reset(connection, u32::from(entry.revents as u16)) as i16;
        entry.revents = match bits & (POLL.counted)(entry.events) {
            // Whoever asks for nothing but a hang-up is not to come back with nothing.
            0 => entry.revents,
            bits => bits,
        };
    }
}

/// Readable by our own knowledge, without a system call.
fn has_news(entry: &PollFd) -> bool {
    entry.events & READABLE != 0
        && (on_ring(entry).is_some_and(ready::has_news) || nested(entry).is_some_and(hot::has_news))
}

/// The wait that poll and select share.
pub(super) fn wait(
    kernel: &Kernel,
    fds: &mut [PollFd],
    timeout: Option<Duration>,
    sigmask: Option<u64>,
) -> Result<usize, Errno> {
    let deadline = Deadline::after(timeout);
    let mut budget = spin::Budget::grant(&SPIN, 1);
    for entry in fds.iter() {
        if let Some(set) = nested(entry) {
            nested::catch_up(set, entry.fd);
        }
    }
    loop {
        if let Some(found) = by_memory_alone(fds) {
            return Ok(found);
        }
        let found = ask(kernel, fds)?;
        if found > 0 {
            return Ok(found);
        }
        if timeout == Some(Duration::ZERO) {
            // Even so signals that the mask opens get in, unless there are events.
            return sigmask.map_or(Ok(0), |_| (kernel.sleep)(&mut [], timeout, sigmask));
        }
        if budget.slice(KERNEL_LOOK_MICROS, sigmask, || fds.iter().any(has_news)).map_err(interrupted)?
            || !budget.is_spent()
        {
            continue;
        }
        budget.failed();
        let asleep = sleep(kernel, fds, deadline, sigmask)?;
        if asleep == 0 && deadline.left() == Some(Duration::ZERO) {
            return Ok(0);
        }
    }
}

/// Where to ask the kernel costs more than to read what has come: how many have events, as far as memory tells, if a
/// connection has bytes. Now and then the kernel is asked all the same, for those of which it alone knows.
fn by_memory_alone(fds: &mut [PollFd]) -> Option<usize> {
    if kernel::POLL_MICROS <= POLL_IS_CHEAP_MICROS {
        return None;
    }
    let has_bytes = |entry: &PollFd| {
        on_ring(entry).filter(|connection| entry.events & READABLE != 0 && ready::has_bytes(connection))
    };
    let first = fds.iter().find_map(has_bytes)?;
    let now = clock::ticks();
    if now.wrapping_sub(first.asked_at.load(Ordering::Relaxed)) >= settings::ticks(KERNEL_LOOK_MICROS) {
        first.asked_at.store(now, Ordering::Relaxed);
        return None;
    }
    for entry in fds.iter_mut() {
        let is_writable = on_ring(entry).is_some_and(|connection| connection.send.road() == Road::Vmmc);
        entry.revents = if is_writable { entry.events & WRITABLE } else { 0 };
        set_readable(entry, has_bytes(entry).is_some());
    }
    Some(fds.iter().filter(|entry| entry.revents != 0).count())
}

/// What is true now of each entry: how many have events.
fn ask(kernel: &Kernel, fds: &mut [PollFd]) -> Result<usize, Errno> {
    (kernel.ask)(fds, Some(Duration::ZERO), None)?;
    if correct(fds) {
        (kernel.ask)(fds, Some(Duration::ZERO), None)?;
        correct(fds);
    }
    polled(fds);
    fds.iter_mut().for_each(|entry| entry.revents &= (kernel.counted)(entry.events));
    Ok(fds.iter().filter(|entry| entry.revents != 0).count())
}

/// Puts ring bytes into what the kernel reported, and takes doorbells away. `true`: a connection has moved back with that, so
/// what the kernel said of its other descriptors, doorbells perhaps, is old.
fn correct(fds: &mut [PollFd]) -> bool {
    let mut has_moved = false;
    for entry in fds.iter_mut() {
        if let Some(connection) = on_ring(entry) {
            entry.revents = ready::without_false_reset(connection, u32::from(entry.revents as u16)) as i16;
            let reported = entry.revents & READABLE != 0;
            let readable = ready::has_bytes(connection)
                || (reported || ready::has_news(connection)) && ready::readable(connection, entry.fd);
            set_readable(entry, readable);
            has_moved |= !ready::on_ring(connection);
        } else if let Some(set) = nested(entry) {
            let has_news = hot::has_news(set);
            let is_asked = !has_news && entry.revents & READABLE != 0;
            // What is looked into there may be one of the others.
            has_moved |= is_asked;
            set_readable(entry, has_news || is_asked && nested::is_ready(set, entry.fd));
        }
    }
    has_moved
}

fn set_readable(entry: &mut PollFd, readable: bool) {
    entry.revents = entry.revents & !READABLE | if readable { entry.events & READABLE } else { 0 };
}

/// A wait that is about to sleep on descriptors, until dropped.
struct Asleep {
    /// Whether it counts as a sleeper on each of the descriptors, and the sets among them.
    fds: *const PollFd,
    count: usize,
    sets: Vec<hot::Armed>,
}

impl Asleep {
    fn begin(fds: &[PollFd]) -> Self {
        readers(fds).for_each(Connection::begin_sleep);
        Self { fds: fds.as_ptr(), count: fds.len(), sets: Vec::new() }
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        // SAFETY: the array is the caller's of `sleep`, which outlives this, and the kernel does not write to it any more.
        readers(unsafe { core::slice::from_raw_parts(self.fds, self.count) }).for_each(Connection::end_sleep);
    }
}

/// The connections that are waited on for something to read.
fn readers(fds: &[PollFd]) -> impl Iterator<Item = &'static Connection> {
    fds.iter().filter(|entry| entry.events & READABLE != 0).filter_map(|entry| table::lookup(entry.fd))
}

/// Arms everything that is ours and sleeps in the kernel; 0 if there was news or time ran out.
fn sleep(kernel: &Kernel, fds: &mut [PollFd], deadline: Deadline, sigmask: Option<u64>) -> Result<usize, Errno> {
    let mut held = Asleep::begin(fds);
    let mut news = false;
    for entry in fds.iter().filter(|entry| entry.events & READABLE != 0) {
        news |= on_ring(entry).is_some_and(|connection| ready::arm(connection, entry.fd));
        held.sets.extend(nested(entry).map(hot::arm));
    }
    news |= held.sets.iter().any(|armed| armed.news);
    let timeout = if news { Some(Duration::ZERO) } else { deadline.left() };
    asleep(&held, || (kernel.sleep)(fds, timeout, sigmask))
}
