//! The service thread: speaks with the broker, answers peers' notifications, and is the safety net for waiters that
//! nobody saw. It exists only once there is something to pair, takes no signals, and is made anew after fork.
mod asked;

use crate::connection::{Connection, phase};
use crate::{arena, chunks::Chunks, pairing, safety_net, settings, table};
pub(crate) use asked::{ask, take_back};
use asked::{refuse_asked, refused};
use core::sync::atomic::AtomicBool;
use std::time::Duration;
use vmmc_os::{Errno, bell, clock, descriptor, kernel, process, watch::Watch};
use vmmc_protocol::{
    ControlError, Reason,
    client::{Client, Event, start_broker},
    message::Side,
    runtime_dir::RuntimeDir,
};
use vmmc_sync::{AtomicU32, AtomicUsize, Ordering};

/// The safety net looks this often while anything is going on.
const TICK: Duration = Duration::from_millis(4);
/// So many looks after the last activity it sleeps for good.
const TICKS_AFTER_ACTIVITY: u32 = 25;
/// A broker that did not answer is tried again after this long.
const RECONNECT: Duration = Duration::from_secs(1);
/// A broker that this process has started is tried so often, so soon again.
const TRIES_SOON: u32 = 40;
const SOON: Duration = Duration::from_millis(50);
/// Closed links are looked through this often.
const SWEEP: Duration = Duration::from_secs(1);
/// Marks the second side of a link in a connection's slot word.
const SECOND_SIDE: u32 = 1 << 31;
/// So long the thread is waited for when it is to step aside: rounds, and the sleep in each.
const ASIDE_ROUNDS: u32 = 10_000;
const ASIDE_MICROS: u32 = 100;

static WAKE_FD: AtomicU32 = AtomicU32::new(u32::MAX);
static BROKER_FD: AtomicU32 = AtomicU32::new(u32::MAX);
/// The thread's number; 0: there has been none.
static THREAD: AtomicU32 = AtomicU32::new(0);
static RUNNING: AtomicBool = AtomicBool::new(false);
static ACTIVE: AtomicBool = AtomicBool::new(false);
static STEP_ASIDE: AtomicBool = AtomicBool::new(false);
/// Where the thread left its `Service` when it stepped aside; 0: nowhere.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// Something moves over VMMC again: the safety net is to look for a while. One relaxed load when it already does.
#[inline]
pub(crate) fn active() {
    if !ACTIVE.load(Ordering::Relaxed) && !ACTIVE.swap(true, Ordering::SeqCst) {
        wake();
    }
}

/// Whether peers of this process are answered.
pub(crate) fn is_running() -> bool {
    RUNNING.load(Ordering::Relaxed)
}

/// Peers of this process may notify it from now on. One relaxed load, but in a forked child, which makes its own thread late.
#[inline]
pub(crate) fn listen() {
    if !RUNNING.load(Ordering::Relaxed) {
        wake();
    }
}

fn wake() {
    if crate::process::is_sandboxed() {
        return;
    }
    if !RUNNING.swap(true, Ordering::AcqRel) && start().is_err() {
        RUNNING.store(false, Ordering::Release);
        return;
    }
    let fd = WAKE_FD.load(Ordering::Acquire) as i32;
    if fd >= 0 {
        bell::ring(fd);
    }
}

fn start() -> Result<(), Errno> {
    if WAKE_FD.load(Ordering::Acquire) == u32::MAX {
        let fd = own(bell::of_service()?);
        WAKE_FD.store(fd as u32, Ordering::Release);
    }
    process::start_thread(body)
}

/// The thread ends, since the program wants to do what only a process of one thread may (unshare, setns).
/// `true`: it has; [`come_back`] is owed. The kernel may still see it for a moment.
pub fn step_aside() -> bool {
    if !RUNNING.load(Ordering::Acquire) {
        return false;
    }
    STEP_ASIDE.store(true, Ordering::SeqCst);
    bell::ring(WAKE_FD.load(Ordering::Acquire) as i32);
    for _ in 0..ASIDE_ROUNDS {
        if !RUNNING.load(Ordering::Acquire) {
            break;
        }
        process::sleep_micros(ASIDE_MICROS);
    }
    STEP_ASIDE.store(false, Ordering::SeqCst);
    !RUNNING.load(Ordering::Acquire)
}

/// The thread ends for good, and the broker is told no more: to it the process has ended.
pub(crate) fn leave() {
    step_aside();
    // It makes a few calls more before its end, and the sandbox may be for all threads.
    let thread = THREAD.load(Ordering::Acquire);
    for _ in 0..ASIDE_ROUNDS {
        if thread == 0 || !process::exists(thread) {
            break;
        }
        process::sleep_micros(ASIDE_MICROS);
    }
    let fd = BROKER_FD.swap(u32::MAX, Ordering::AcqRel) as i32;
    if fd >= 0 {
        table::clear(fd);
        let _ = kernel::close(fd);
    }
}

/// The thread goes on where it stepped aside.
pub fn come_back() {
    wake();
}

/// A descriptor becomes one of the library's own, out of the program's way.
fn own(fd: i32) -> i32 {
    let fd = descriptor::move_high(fd, arena::DESCRIPTOR_LEAST);
    table::set_internal(fd);
    fd
}

/// In a forked child: no thread came along, and the parent's connection to the broker is the parent's.
pub(crate) fn forget_after_fork() {
    for word in [&WAKE_FD, &BROKER_FD] {
        let fd = word.swap(u32::MAX, Ordering::Relaxed) as i32;
        if fd >= 0 {
            table::clear(fd);
            let _ = kernel::close(fd);
        }
    }
    asked::forget();
    LEFT.store(0, Ordering::Relaxed);
    THREAD.store(0, Ordering::Relaxed);
    ACTIVE.store(false, Ordering::Relaxed);
    RUNNING.store(false, Ordering::Release);
}

/// Speaks to the broker from any thread, if there is one.
fn with_broker(speak: impl FnOnce(&Client)) {
    let fd = BROKER_FD.load(Ordering::Acquire) as i32;
    if fd >= 0 {
        let client = core::mem::ManuallyDrop::new(Client::from_raw(fd));
        speak(&client);
    }
}

/// Whether a broker answers now.
pub(crate) fn has_broker() -> bool {
    BROKER_FD.load(Ordering::Acquire) as i32 >= 0
}

/// The connection of `token` is not to be paired any more.
pub(crate) fn withdraw(token: u64) {
    with_broker(|client| client.withdraw(token).unwrap_or_default());
}

/// This end is done with a slot.
pub(crate) fn release(link: u64, slot: u32) {
    let side = if slot & SECOND_SIDE == 0 { Side::First } else { Side::Second };
    with_broker(|client| client.release(link, slot & !SECOND_SIDE, side).unwrap_or_default());
}

struct Service {
    watch: Watch,
    client: Option<Client>,
    chunks: Chunks,
    last_try: Option<Duration>,
    last_sweep: Duration,
    /// The broker could not be asked: try again soon.
    unsent: bool,
    /// The broker has been asked whether it listens, and has not answered yet.
    has_knocked: bool,
    /// It has not been asked for what its predecessor was asked for.
    is_new: bool,
    /// Since the last broker went: `None` if none was started, else how many tries are to follow each other soon.
    soon: Option<u32>,
    ticks_left: u32,
}

extern "C" fn body(_: *mut core::ffi::c_void) -> *mut core::ffi::c_void {
    THREAD.store(process::thread_id(), Ordering::Release);
    if let Some(mut service) = Service::left().or_else(Service::new) {
        while !STEP_ASIDE.load(Ordering::SeqCst) {
            service.round();
        }
        LEFT.store(Box::into_raw(service).expose_provenance(), Ordering::Release);
        RUNNING.store(false, Ordering::Release);
    }
    core::ptr::null_mut()
}

impl Service {
    fn new() -> Option<Box<Self>> {
        let watch = Watch::new(WAKE_FD.load(Ordering::Acquire) as i32, own).ok()?;
        // A forked child's are those that its parent was given.
        pairing::each_paired(|connection, _| watch.peer(connection.own_bell.load(Ordering::Relaxed) as i32));
        let (chunks, last_sweep) = (Chunks::new(), Duration::ZERO);
        Some(Box::new(Self {
            watch,
            client: None,
            chunks,
            last_try: None,
            last_sweep,
            unsent: false,
            has_knocked: false,
            is_new: false,
            soon: None,
            ticks_left: 0,
        }))
    }

    /// What the thread left when it stepped aside.
    fn left() -> Option<Box<Self>> {
        let left = LEFT.swap(0, Ordering::Acquire);
        // SAFETY: `body` leaves its own box there, and the swap takes it once.
        (left != 0).then(|| unsafe { Box::from_raw(core::ptr::with_exposed_provenance_mut(left)) })
    }

    fn round(&mut self) {
        if ACTIVE.load(Ordering::Relaxed) && self.ticks_left == 0 {
            self.ticks_left = TICKS_AFTER_ACTIVITY;
        }
        let timeout = match (self.ticks_left, self.unsent || self.chunks.any_closed()) {
            (0, false) => None,
            (0, true) => Some(self.pause()),
            _ => Some(TICK),
        };
        let woken = self.watch.wait(timeout.into_iter().chain(self.chunks.bereaved.pause()).min());
        if woken.broker {
            self.hear();
        }
        self.knock();
        if woken.peer {
            safety_net::answer_peers();
        }
        self.chunks.bereaved.look();
        if self.chunks.any_closed() && clock::monotonic().saturating_sub(self.last_sweep) >= SWEEP {
            self.chunks.sweep();
            self.last_sweep = clock::monotonic();
        }
        if !woken.any && self.ticks_left > 0 {
            self.ticks_left = if safety_net::look_after_waiters() { TICKS_AFTER_ACTIVITY } else { self.ticks_left - 1 };
            if self.ticks_left == 0 {
                ACTIVE.store(false, Ordering::SeqCst);
                // Whoever became active just before did not wake this thread: one more look sees what it did.
                if safety_net::look_after_waiters() {
                    active();
                }
            }
        }
    }

    /// How long after a broker did not answer it is tried again.
    fn pause(&self) -> Duration {
        if self.soon.is_some_and(|left| left > 0) { SOON } else { RECONNECT }
    }

    fn connect(&mut self) -> bool {
        if self.client.is_some() {
            return true;
        }
        let now = clock::monotonic();
        if self.last_try.is_some_and(|last| now.saturating_sub(last) < self.pause()) {
            return false;
        }
        self.last_try = Some(now);
        let client = RuntimeDir::at(settings::runtime_dir().as_bytes()).and_then(|dir| Client::connect(&dir).ok());
        if let Some(header) = arena::header() {
            header.broker.store(if client.is_some() { 1 } else { 2 }, Ordering::Relaxed);
        }
        let Some(client) = client else {
            // Where a broker is a guest's to start, it answers a moment later.
            self.soon = Some(match self.soon {
                None => u32::from(start_broker()) * TRIES_SOON,
                Some(left) => left.saturating_sub(1),
            });
            return false;
        };
        self.soon = None;
        if vmmc_os::channel::HIDES_MEMORY
            && let Some(table) = arena::memory()
        {
            client.hand_table(table).unwrap_or_default();
        }
        let fd = own(client.into_raw());
        let client = Client::from_raw(fd);
        self.watch.broker(client.fd());
        BROKER_FD.store(fd as u32, Ordering::Release);
        self.client = Some(client);
        self.is_new = true;
        true
    }

    fn lost(&mut self) {
        let fd = BROKER_FD.swap(u32::MAX, Ordering::AcqRel) as i32;
        if fd >= 0 {
            table::clear(fd);
        }
        self.watch.broker(-1);
        self.client = None;
        self.has_knocked = false;
        self.chunks.close(None);
        self.unsent = true;
        if let Some(header) = arena::header() {
            header.broker.store(2, Ordering::Relaxed);
        }
    }

    fn hear(&mut self) {
        while let Some(client) = &self.client {
            match client.receive() {
                Ok(None) => return,
                Ok(Some(Event::Awake)) => self.offer_all(),
                Ok(Some(Event::Confirm { token })) => match pairing::of_token(token) {
                    Some(connection) if connection.phase.load(Ordering::Relaxed) == phase::ASKED => {
                        self.offer(connection)
                    }
                    _ => withdraw(token),
                },
                Ok(Some(Event::Paired(paired))) => self.paired(paired),
                Ok(Some(Event::Refused { token, reason })) => {
                    if let Some(connection) = pairing::of_token(token) {
                        refused(connection, reason);
                    }
                }
                Ok(Some(Event::LinkClosed { link })) => self.chunks.close(Some(link)),
                Err(error) => {
                    if error == ControlError::Version {
                        refuse_asked(Reason::VERSION);
                    }
                    self.lost();
                }
            }
        }
    }

    fn paired(&mut self, paired: vmmc_protocol::client::Paired) {
        let pairing = &paired.pairing;
        let second = matches!(pairing.side, Side::Second);
        if let Some(new) = paired.segment {
            self.map(pairing.link, second, pairing.chunk, new);
        }
        let windows = self.chunks.find(pairing.link, second, pairing.chunk).and_then(|mapped| {
            let len = vmmc_protocol::slot::size(pairing.ring_capacity);
            Some((
                mapped.export.export(pairing.own_offset, len)?,
                mapped.import.import(pairing.peer_offset, len)?,
                len,
                (mapped.own_bell, mapped.peer_bell),
            ))
        });
        let connection = pairing::of_token(pairing.token);
        let Some((own, peer, len, bells)) = windows else {
            with_broker(|client| client.decline(pairing.link, pairing.slot, pairing.side).unwrap_or_default());
            if let Some(connection) = connection {
                connection.forbid(Reason::NO_MEMORY);
                connection.object(Reason::NO_MEMORY);
            }
            return;
        };
        // A fork may have come between the offer and its answer, and the family have asked again since.
        let is_wanted =
            |c: &&'static Connection| c.phase.load(Ordering::Relaxed) == phase::ASKED && !pairing::held_elsewhere(c);
        let slot = Slot {
            addresses: [own.addr() as u64, peer.addr() as u64],
            len: len as u64,
            bells,
            link: pairing.link,
            number: pairing.slot | if second { SECOND_SIDE } else { 0 },
            capacity: pairing.ring_capacity as u64,
        };
        if !connection.filter(is_wanted).is_some_and(|connection| slot.becomes_that_of(connection, pairing.token)) {
            release(slot.link, slot.number);
        }
    }

    fn map(&mut self, link: u64, second: bool, chunk: u32, new: vmmc_protocol::client::NewSegment) {
        let Some(memory) = crate::chunks::map(&new) else { return };
        let bells = self.chunks.bells(link, second).unwrap_or_else(|| {
            let own_bell = own(new.own_bell.into_raw());
            self.watch.peer(own_bell);
            (own_bell, own(new.peer_bell.into_raw()))
        });
        self.chunks.add(link, second, chunk, memory, bells);
    }
}

/// A slot that the broker has given to a connection.
struct Slot {
    addresses: [u64; 2],
    len: u64,
    bells: (i32, i32),
    link: u64,
    number: u32,
    capacity: u64,
}

impl Slot {
    /// `false`: the connection that asked under this token is closed. Its record may be another one's by now, that asks as well.
    fn becomes_that_of(&self, connection: &'static Connection, token: u64) -> bool {
        arena::undisturbed(|| {
            if pairing::token(connection) != token {
                return false;
            }
            connection.own_slot.store(self.addresses[0], Ordering::Relaxed);
            connection.peer_slot.store(self.addresses[1], Ordering::Relaxed);
            connection.slot_len.store(self.len, Ordering::Relaxed);
            connection.own_bell.store(self.bells.0 as u32, Ordering::Relaxed);
            connection.peer_bell.store(self.bells.1 as u32, Ordering::Relaxed);
            connection.link.store(self.link, Ordering::Relaxed);
            connection.slot.store(self.number, Ordering::Relaxed);
            connection.paired_by.store(crate::process::id(), Ordering::Relaxed);
            connection.send.pair(self.capacity);
            connection.recv.pair(self.capacity);
            connection.explain(Reason::NO_RECEIVE_SEEN);
            // Released meanwhile, it is asked for no more; released from now on, the slot is released with it.
            let asked =
                connection.phase.compare_exchange(phase::ASKED, phase::PAIRED, Ordering::AcqRel, Ordering::Relaxed);
            if asked.is_ok() {
                connection.record.paired.store(1, Ordering::Relaxed);
            }
            asked.is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_for_a_closed_connection_is_not_its_record_s_next_one_s() {
        let slot = Slot { addresses: [0; 2], len: 0, bells: (0, 0), link: 7, number: 3, capacity: 4096 };
        let connection = arena::take().unwrap();
        connection.phase.store(phase::ASKED, Ordering::Relaxed);
        let token = pairing::token(connection);
        pairing::release(connection);
        arena::give(connection);
        let next = arena::take().unwrap();
        assert!(core::ptr::eq(next, connection), "a record is used again");
        next.phase.store(phase::ASKED, Ordering::Relaxed);
        assert!(!slot.becomes_that_of(connection, token));
        assert_eq!(next.phase.load(Ordering::Relaxed), phase::ASKED);
        assert!(slot.becomes_that_of(next, pairing::token(next)));
        assert_eq!((next.phase.load(Ordering::Relaxed), next.link.load(Ordering::Relaxed)), (phase::PAIRED, 7));
        next.phase.store(phase::REFUSED, Ordering::Relaxed);
        arena::give(next);
    }
}
