//! One TCP socket of the process family: what is known of it, and its two streams. Lives in the shared table.
use crate::gate::Gate;
use vmmc_os::{bell, kernel};
use vmmc_protocol::{Reason, record::SocketRecord};
use vmmc_shm::{ShmExport, ShmImport};
use vmmc_stream::{Receiver, RecvState, SendState, Sender};
use vmmc_sync::{AtomicU32, AtomicU64, Ordering};

/// Bits of [`Connection::flags`].
pub(crate) mod flag {
    /// O_NONBLOCK, as last seen.
    pub(crate) const NONBLOCKING: u32 = 1;
    /// This end connected (and did not accept): the kernel's acknowledged bytes count its SYN.
    pub(crate) const ACTIVE: u32 = 2;
    /// The kernel has said that the peer sends no more.
    pub(crate) const PEER_FINISHED: u32 = 4;
    /// This end has shut its sending side down.
    pub(crate) const SEND_SHUT: u32 = 8;
    /// TCP_NODELAY is in force below although the application has not asked for it.
    pub(crate) const NODELAY_OURS: u32 = 16;
    /// The application asked for TCP_NODELAY.
    pub(crate) const NODELAY_ASKED: u32 = 32;
    /// The application asked for TCP_CORK while it is not in force below.
    pub(crate) const CORK_ASKED: u32 = 64;
    /// The protocol was broken; the connection has been reset.
    pub(crate) const BROKEN: u32 = 128;
    /// The stream has moved back for good: others may write to the socket past us.
    pub(crate) const HANDED_OVER: u32 = 256;
    /// The kernel says reset where it would have said end of stream without us, and the application has not sent since.
    pub(crate) const FALSE_RESET: u32 = 512;
    /// This end has shut its receiving side down.
    pub(crate) const RECV_SHUT: u32 = 1024;
    /// The application asked for TCP_INQ.
    pub(crate) const LEFT_ASKED: u32 = 2048;
    /// A signal handler has shut the sending side down in the midst of its own thread's work on it, which is to end first.
    pub(crate) const SHUT_DUE: u32 = 4096;
    /// A descriptor of it has been put into an epoll set.
    pub(crate) const WATCHED: u32 = 8192;
}

/// Kinds of socket in the record.
pub(crate) mod kind {
    pub(crate) const FREE: u32 = 0;
    pub(crate) const UNCONNECTED: u32 = 1;
    pub(crate) const LISTENING: u32 = 2;
    pub(crate) const CONNECTION: u32 = 3;
}

/// How far the pairing has come.
pub(crate) mod phase {
    /// Nobody has asked.
    pub(crate) const NONE: u32 = 0;
    /// Stands in the service thread's queue or with the broker.
    pub(crate) const ASKED: u32 = 1;
    /// Both ends know the slot.
    pub(crate) const PAIRED: u32 = 2;
    /// Never to be asked (again).
    pub(crate) const REFUSED: u32 = 3;
}

/// See the file's page. All-zero bytes are a free one.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Connection {
    pub(crate) record: SocketRecord,
    pub(crate) phase: AtomicU32,
    pub(crate) flags: AtomicU32,
    pub(crate) send_gate: Gate,
    pub(crate) recv_gate: Gate,
    /// Addresses of this end's slot and the peer's, in every process of the family that has them mapped.
    pub(crate) own_slot: AtomicU64,
    pub(crate) peer_slot: AtomicU64,
    pub(crate) slot_len: AtomicU64,
    /// Bell that the peer rings to notify this end, and the other way round; -1 as u32 if there is none.
    pub(crate) own_bell: AtomicU32,
    pub(crate) peer_bell: AtomicU32,
    /// Descriptors that refer to it, in all processes of the family.
    pub(crate) references: AtomicU32,
    /// Calls asleep in the kernel on this very socket (recv, poll, select), in all processes of the family. While there are
    /// any, whoever takes a doorbell away asks for another one.
    pub(crate) sleepers: AtomicU32,
    /// A descriptor of the library's own, and one: the last of the program's was closed while receives sleep in it. 0: none.
    pub(crate) kept: AtomicU32,
    /// Which member of the family holds how many of them, as far as that is known.
    pub(crate) shares: [AtomicU32; crate::family::MEMBERS_MAX],
    /// Changes with every use of the record, so that late answers of the broker find nobody.
    pub(crate) generation: AtomicU32,
    /// Errors that the kernel told us on a doorbell and the application has still to hear.
    pub(crate) send_error: AtomicU32,
    pub(crate) recv_error: AtomicU32,
    /// A [`Reason`] that forbids VMMC for good, or 0.
    pub(crate) forbidden: AtomicU32,
    /// Ticks at which the kernel was last asked for this socket's state.
    pub(crate) asked_at: AtomicU64,
    /// What the peer had consumed when a sender last looked whether it lives.
    pub(crate) heard: AtomicU64,
    /// One more than the bytes that had been sent by the kernel when it last said that it takes more.
    pub(crate) writable_at: AtomicU64,
    /// Ticks at which this end began to hold for the peer's bytes.
    pub(crate) held_since: AtomicU64,
    /// Microseconds that a receive on this socket may spin now.
    pub(crate) spin: AtomicU32,
    /// Milliseconds of the clock at which pairing was asked for.
    pub(crate) asked_since: AtomicU32,
    /// Data calls that must pass before pairing is asked for (again).
    pub(crate) ask_after: AtomicU32,
    pub(crate) link: AtomicU64,
    pub(crate) slot: AtomicU32,
    /// The process of the family that the broker told of the slot.
    pub(crate) paired_by: AtomicU32,
    /// Ticks of the last ring work by the application, for the service thread's safety net.
    pub(crate) touched: AtomicU32,
    /// Which forked set an edge was last reported of, and of what, as [`crate::wait::shared`] says it in one word.
    pub(crate) told: AtomicU64,
    /// Next in the list of free records.
    pub(crate) next: AtomicU64,
    /// Next in the queue of a service thread. `queued` says whose: a process's number, or 0. It may be freed and used again
    /// while it stands there.
    pub(crate) next_asked: AtomicU64,
    pub(crate) queued: AtomicU32,
    pub(crate) send: SendState,
    pub(crate) recv: RecvState,
}

const _: () = assert!(size_of::<Connection>() <= vmmc_protocol::record::RECORD_SIZE);

pub(crate) type ConnectionSender<'a> = Sender<'a, ShmExport, ShmImport>;
pub(crate) type ConnectionReceiver<'a> = Receiver<'a, ShmExport, ShmImport>;

impl Connection {
    #[inline(always)]
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }
    /// Whether a call with `flags` may sleep.
    #[inline(always)]
    pub(crate) fn may_wait(&self, flags: i32) -> bool {
        flags & vmmc_os::abi::MSG_DONTWAIT == 0 && !self.has(flag::NONBLOCKING)
    }
    pub(crate) fn set(&self, flag: u32, on: bool) {
        if on {
            self.flags.fetch_or(flag, Ordering::Relaxed)
        } else {
            self.flags.fetch_and(!flag, Ordering::Relaxed)
        };
    }
    #[inline(always)]
    pub(crate) fn is_paired(&self) -> bool {
        self.phase.load(Ordering::Acquire) == phase::PAIRED
    }
    /// A call is about to sleep on the socket: before it arms, or under the receive gate.
    pub(crate) fn begin_sleep(&self) {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
    }
    /// It sleeps no more. The socket may have been closed meanwhile, and its record have been put to another use.
    pub(crate) fn end_sleep(&self) {
        let _ = self.sleepers.fetch_update(Ordering::SeqCst, Ordering::Relaxed, |count| count.checked_sub(1));
    }

    /// Both sides are shut down here: the kernel answers any byte that still comes with a reset, and wakes whoever waits.
    pub(crate) fn is_shut(&self) -> bool {
        const BOTH: u32 = flag::SEND_SHUT | flag::RECV_SHUT;
        self.flags.load(Ordering::Relaxed) & BOTH == BOTH
    }

    pub(crate) fn is_connection(&self) -> bool {
        self.record.kind.load(Ordering::Relaxed) == kind::CONNECTION
    }

    /// This end's window and the peer's. Only after [`Connection::is_paired`].
    #[inline(always)]
    fn windows(&self) -> (ShmExport, ShmImport) {
        crate::link::windows(
            self.own_slot.load(Ordering::Relaxed),
            self.peer_slot.load(Ordering::Relaxed),
            self.slot_len.load(Ordering::Relaxed),
            self.peer_bell.load(Ordering::Relaxed) as i32,
        )
    }
    #[inline(always)]
    pub(crate) fn sender(&self) -> ConnectionSender<'_> {
        let (inbox, peer) = self.windows();
        Sender::new(&self.send, &self.recv, inbox, peer)
    }
    #[inline(always)]
    pub(crate) fn receiver(&self) -> ConnectionReceiver<'_> {
        let (inbox, peer) = self.windows();
        Receiver::new(&self.recv, inbox, peer)
    }

    /// Wakes the peer's service thread, which looks at all of its connections.
    pub(crate) fn notify_peer(&self) {
        bell::ring(self.peer_bell.load(Ordering::Relaxed) as i32);
    }

    /// Forbids VMMC for this connection from now on; what is under way stays until it moves back.
    pub(crate) fn forbid(&self, reason: Reason) {
        let _ = self.forbidden.compare_exchange(0, u32::from(reason.number()), Ordering::Relaxed, Ordering::Relaxed);
        let refuse = |now| (now != phase::PAIRED).then_some(phase::REFUSED);
        let _ = self.phase.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refuse);
        self.explain(reason);
    }
    pub(crate) fn is_forbidden(&self) -> bool {
        self.forbidden.load(Ordering::Relaxed) != 0
    }

    /// `--strict`: a connection that could be ours and isn't fails loudly instead of staying on the kernel road.
    pub(crate) fn object(&'static self, reason: Reason) {
        const OURS_TO_HAVE: [Reason; 5] =
            [Reason::NO_BROKER, Reason::NO_MEMORY, Reason::COUNTS_DIFFER, Reason::VERSION, Reason::POLICY];
        if crate::settings::strict()
            && OURS_TO_HAVE.contains(&reason)
            && let Some(fd) = crate::table::descriptor_of(self)
        {
            self.reset(fd, reason);
        }
    }

    /// Notes why both directions are on the kernel road (a direction on the ring keeps its own word).
    pub(crate) fn explain(&self, reason: Reason) {
        for direction in [&self.record.outgoing, &self.record.incoming] {
            if direction.road.load(Ordering::Relaxed) == 0 {
                direction.reason.store(u32::from(reason.number()), Ordering::Relaxed);
            }
        }
    }

    /// The connection can't go on: the peer or a stranger broke the protocol. Both ends see a reset.
    pub(crate) fn reset(&self, fd: i32, reason: Reason) {
        self.set(flag::BROKEN, true);
        self.forbid(reason);
        for direction in [&self.record.outgoing, &self.record.incoming] {
            direction.reason.store(u32::from(reason.number()), Ordering::Relaxed);
            // `vmmc status` shows a reason only beside the kernel road, which is all that is left of the connection.
            direction.road.store(0, Ordering::Relaxed);
        }
        // connect(AF_UNSPEC) resets a TCP connection at once, whoever else holds the socket.
        kernel::disconnect(fd);
    }
}
