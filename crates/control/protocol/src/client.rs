//! The guest's half of the conversation with the broker: a non-blocking connection that the service thread polls.
//!
//! It never blocks, and keeps no state but its connection, so it can be kept as a plain number.

use crate::ControlError;
use crate::message::{DecodeError, Pairing, Reply, Request, SIZE, Side, Status};
use crate::reason::Reason;
use crate::runtime_dir::RuntimeDir;
use core::time::Duration;
use vmmc_os::Descriptor;
use vmmc_os::channel::{Arrived, Attached, Channel, Received};

/// A connection to the broker.
///
/// The broker knows a process by its connection: when the last descriptor of it is closed, the process counts as gone, its
/// offers are forgotten and its links get no more slots. A forked child makes its own connection for its own offers; it
/// may [`release`](Self::release) over the inherited one what was paired over that, and must not receive from it.
#[derive(Debug)]
pub struct Client {
    channel: Channel,
}

/// What the broker said.
#[derive(Debug)]
pub enum Event {
    /// The answer to [`Client::knock`].
    Awake,
    /// Answer at once with [`Client::offer`] of the same token and socket, or [`Client::withdraw`]: the other end may have
    /// been found, and both have to be seen at one instant. After 100 ms the broker does not wait any more; a late answer
    /// is a fresh offer and does no harm.
    Confirm {
        /// As offered.
        token: u64,
    },
    /// The other end was found; the offer is settled.
    Paired(Paired),
    /// The offer was refused and is forgotten. Whether offering again can help: [`crate::reason::Row::is_final`].
    Refused {
        /// As offered.
        token: u64,
        /// Why.
        reason: Reason,
    },
    /// The other end's process has left the broker: no new slot of this link will come. Its memory can be unmapped, and
    /// its bells closed, as soon as this process's last slot in it is done with. Slots in use are not affected.
    LinkClosed {
        /// The link.
        link: u64,
    },
}

/// A settled offer.
#[derive(Debug)]
pub struct Paired {
    /// Which connection, and where its slot is. The slot's words ([`crate::slot::WORDS`]) are zero; its rings may hold what
    /// an earlier connection between the same two processes left there.
    pub pairing: Pairing,
    /// The descriptors of the slot's chunk, if this side of the link has not been sent them yet. If they are missing and the
    /// chunk of this `(link, side)` is not known here, this process had no room for them: [`Client::decline`].
    pub segment: Option<NewSegment>,
}

/// A chunk of a link: the memory that its slots stand in, and the link's bells.
#[derive(Debug)]
pub struct NewSegment {
    /// Memory file of this end's receive buffers: exported, written by the peer. Sealed, [`crate::slot::Chunk::len`] bytes.
    pub export: Descriptor,
    /// Memory file of the peer's receive buffers: imported, written here. Sealed, of the same length.
    pub import: Descriptor,
    /// Eventfd that the peer writes to and this end reads. The same one comes with every chunk of a link.
    pub own_bell: Descriptor,
    /// Eventfd that this end writes to.
    pub peer_bell: Descriptor,
}

impl Client {
    /// Connects to the broker of the directory, without waiting, and introduces this process. Where the system gives a
    /// process one bell for all its links, the broker is handed that too.
    ///
    /// # Errors
    /// `Absent`, `Untrusted`, `Busy` (try again later), or the kernel's.
    pub fn connect(dir: &RuntimeDir) -> Result<Self, ControlError> {
        let client = Self { channel: Channel::connect(dir.as_bytes())? };
        let bell = vmmc_os::channel::bell_of_process();
        let attached = bell.as_ref().map_or(Attached::Nothing, |bell| Attached::Objects(core::slice::from_ref(bell)));
        client.request(Request::Hello { layout: crate::slot::LAYOUT }, attached)?;
        Ok(client)
    }

    /// Asks the broker of the directory how it is, over a connection of its own, and waits for the answer for at most
    /// `limit_ms` milliseconds for each of its (two) messages. For commands, not for the guest.
    ///
    /// # Errors
    /// As [`Client::connect`] and [`Client::receive`]; `Busy` if no answer came in time.
    pub fn ping(dir: &RuntimeDir, limit_ms: u32) -> Result<Status, ControlError> {
        let client = Self::connect(dir)?;
        client.request(Request::Ping, Attached::Nothing)?;
        client.until_pong(limit_ms, |_, _| {})
    }

    /// Asks the broker for the tables of sockets that processes have [handed](Self::hand_table) to it: `found` gets each
    /// process and its table, for reading alone. Otherwise as [`ping`](Self::ping).
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn tables(
        dir: &RuntimeDir,
        limit_ms: u32,
        mut found: impl FnMut(u32, Descriptor),
    ) -> Result<Status, ControlError> {
        let client = Self::connect(dir)?;
        client.request(Request::Tables, Attached::Nothing)?;
        client.until_pong(limit_ms, |reply, arrived| {
            let [table, ..] = arrived.into_objects();
            if let (Reply::Table { pid }, Some(table)) = (reply, table) {
                found(pid, table);
            }
        })
    }

    /// Hands everything that comes before the answer to a `Ping` to `hear`.
    fn until_pong(&self, limit_ms: u32, mut hear: impl FnMut(Reply, Arrived)) -> Result<Status, ControlError> {
        loop {
            match self.reply()? {
                Some((Reply::Pong(status), _)) => return Ok(status),
                Some((reply, arrived)) => hear(reply, arrived),
                None if self.channel.wait(Duration::from_millis(limit_ms.into()))? => {}
                None => return Err(ControlError::Busy),
            }
        }
    }

    /// For waiting: readable (on Windows: signalled) when [`receive`](Self::receive) has something. On Linux it is the
    /// connection's descriptor, and writable when a `Busy` call may be tried again.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.channel.waitable()
    }

    /// Gives up the connection's number without closing it, for instance to move it to another. Not after the first
    /// [`receive`](Self::receive) or [`fd`](Self::fd): on Windows a message that is on its way in would be lost.
    #[must_use]
    pub fn into_raw(self) -> i32 {
        self.channel.into_raw()
    }

    /// The connection whose number this is, by [`into_raw`](Self::into_raw) or a duplicate; it is owned from now on. Any
    /// number of clients may speak over one connection; only one of them may receive.
    #[must_use]
    pub fn from_raw(number: i32) -> Self {
        Self { channel: Channel::from_raw(number) }
    }

    /// Asks whether the broker listens; [`Event::Awake`] says that it does. Until it has read an offer its queue holds a
    /// duplicate of the socket, whose close nobody hears: knock before.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn knock(&self) -> Result<(), ControlError> {
        self.request(Request::Ping, Attached::Nothing)
    }

    /// Asks for the other end of the TCP connection behind `socket_fd` (borrowed), which this process calls `token` from
    /// now on. Also the answer to [`Event::Confirm`]. Exactly one `Paired` or `Refused` settles a token, unless it is withdrawn
    /// first or the other end never comes.
    ///
    /// # Errors
    /// `Busy`: nothing was sent, try again. `Lost`: reconnect later.
    pub fn offer(&self, token: u64, socket_fd: i32) -> Result<(), ControlError> {
        self.request(Request::Offer { token }, Attached::Socket(socket_fd))
    }

    /// Forgets an offer; call it before the socket is closed. A settlement that crosses it on the way may still arrive:
    /// a `Paired` for a token that is not wanted any more is answered with [`release`](Self::release).
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn withdraw(&self, token: u64) -> Result<(), ControlError> {
        self.request(Request::Withdraw { token }, Attached::Nothing)
    }

    /// Hands the broker this process's table of sockets (a memory file; borrowed), which it shows to `vmmc status`. For
    /// systems on which nobody can find the table otherwise (Windows).
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn hand_table(&self, table: i32) -> Result<(), ControlError> {
        self.request(Request::Table, Attached::Objects(&[table]))
    }

    /// This end neither reads nor writes the slot any more, by any process. When both ends have said so it is wiped and used again.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn release(&self, link: u64, slot: u32, side: Side) -> Result<(), ControlError> {
        self.request(Request::Release { link, slot, side, unmapped: false }, Attached::Nothing)
    }

    /// Gives a slot back at once because its chunk's memory could not be had here. The broker will send the chunk's
    /// descriptors again with the next slot in it.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn decline(&self, link: u64, slot: u32, side: Side) -> Result<(), ControlError> {
        self.request(Request::Release { link, slot, side, unmapped: true }, Attached::Nothing)
    }

    /// The next event, if there is one; never waits.
    ///
    /// # Errors
    /// `Lost`, `Malformed`, `Version` or the kernel's: drop this connection. All its links count as closed (see
    /// [`Event::LinkClosed`]) and all its offers as withdrawn.
    pub fn receive(&self) -> Result<Option<Event>, ControlError> {
        loop {
            let Some((reply, arrived)) = self.reply()? else { return Ok(None) };
            return Ok(Some(match reply {
                Reply::Welcome => continue,
                Reply::Confirm { token } => Event::Confirm { token },
                Reply::Refused { token, reason } => Event::Refused { token, reason },
                Reply::LinkClosed { link } => Event::LinkClosed { link },
                Reply::Paired(pairing) => Event::Paired(Paired { pairing, segment: segment(arrived) }),
                Reply::Pong(_) => Event::Awake,
                Reply::Table { .. } => return Err(ControlError::Malformed),
            }));
        }
    }

    fn request(&self, request: Request, attached: Attached<'_>) -> Result<(), ControlError> {
        Ok(self.channel.send(&request.encode(), attached)?)
    }

    fn reply(&self) -> Result<Option<(Reply, Arrived)>, ControlError> {
        match self.channel.receive::<SIZE>()? {
            Received::Nothing => Ok(None),
            Received::End => Err(ControlError::Lost),
            Received::Garbage => Err(ControlError::Malformed),
            Received::Message(bytes, arrived) => match Reply::decode(&bytes) {
                Ok(reply) => Ok(Some((reply, arrived))),
                Err(DecodeError::Version) => Err(ControlError::Version),
                Err(DecodeError::Malformed) => Err(ControlError::Malformed),
            },
        }
    }
}

/// Starts a broker if the system's custom is that a guest does, since nobody else may have: `false` if it is not, or no
/// broker could be started. It answers a moment later; of several that are started at once, one stays.
#[must_use]
pub fn start_broker() -> bool {
    let Some(command) = vmmc_os::detached::command_for_guests() else { return false };
    let dir = RuntimeDir::of_environment().unwrap_or_default();
    let environment = (crate::settings::RUNTIME_DIR, dir.as_os_str());
    vmmc_os::detached::start(&command, &crate::settings::BROKER_ARGUMENTS, environment).is_ok()
}

/// All four objects, or none: a part of them is of no use, and is closed.
fn segment(arrived: Arrived) -> Option<NewSegment> {
    let [export, import, own_bell, peer_bell] = arrived.into_objects();
    Some(NewSegment { export: export?, import: import?, own_bell: own_bell?, peer_bell: peer_bell? })
}
