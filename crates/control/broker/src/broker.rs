//! The broker's loop: processes come, ask, are answered, and go.

use crate::connection::{Connection, Gone};
use crate::limits::{ACCEPTS_PER_TURN, MESSAGES_PER_TURN};
use crate::links::Links;
use crate::offers::{ClientId, Effect, Offer, Offers};
use crate::seat::Seat;
use crate::sight::Credentials;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use vmmc_protocol::message::{Reply, Request, Status};
use vmmc_protocol::packet::{self, Descriptors, Received};
use vmmc_protocol::{ControlError, Reason};

/// Marks the listening socket among the events; processes count from 1.
const LISTENER: ClientId = 0;

/// A broker that listens. It does something only inside [`Broker::turn`].
#[derive(Debug)]
pub struct Broker {
    seat: Seat,
    epoll: OwnedFd,
    connections: HashMap<ClientId, Connection>,
    last_client: ClientId,
    offers: Offers,
    links: Links,
    /// Processes that cannot be spoken to any more, to be forgotten before the turn ends.
    gone: Vec<ClientId>,
    /// Since when no process has been connected.
    idle_since: Option<Instant>,
    /// Given up for a moment when there is no other descriptor left.
    spare: Option<OwnedFd>,
}

impl Broker {
    /// Takes the broker's place in the runtime directory `dir`, which is made if need be.
    ///
    /// # Errors
    /// `AddrInUse` if another broker has it; `PermissionDenied` if others can write the directory; the kernel's.
    pub fn bind(dir: &Path) -> io::Result<Self> {
        let seat = Seat::take(dir)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &seat.listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self {
            seat,
            epoll,
            connections: HashMap::new(),
            last_client: LISTENER,
            offers: Offers::default(),
            links: Links::new()?,
            gone: Vec::new(),
            idle_since: Some(Instant::now()),
            spare: spare(),
        })
    }

    /// How long no process has been connected; `None` while one is.
    #[must_use]
    pub fn idle(&self) -> Option<Duration> {
        self.idle_since.map(|since| since.elapsed())
    }

    /// Waits for something to do, at most for `limit` (`None`: for ever), and does it.
    ///
    /// # Errors
    /// Only if waiting itself is impossible; nothing that a process does makes it fail.
    pub fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let deadline = self.offers.pass_time(Instant::now());
        self.settle();
        let until_deadline = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let wait = limit.into_iter().chain(until_deadline).min();
        let wait = wait.map(|wait| Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() });

        let mut events: Vec<Event> = Vec::with_capacity(256);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), wait.as_ref()) {
            Err(Errno::INTR) => {}
            result => drop(result?),
        }
        for event in &events {
            match event.data.u64() {
                LISTENER => self.accept(),
                client => self.serve(client, event.flags),
            }
            self.settle();
        }
        Ok(())
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            match accept_with(&self.seat.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.welcome(socket),
                Err(Errno::MFILE | Errno::NFILE) => {
                    // Turn one away, or it would stay at the head of the queue and keep the loop awake.
                    self.spare = None;
                    drop(accept_with(&self.seat.listener, SocketFlags::CLOEXEC));
                    self.spare = spare();
                    return;
                }
                Err(_) => return,
            }
        }
    }

    fn welcome(&mut self, socket: OwnedFd) {
        let Some(credentials) = Credentials::of_peer(rustix::fd::AsFd::as_fd(&socket)) else { return };
        self.last_client += 1;
        let id = self.last_client;
        if epoll::add(&self.epoll, &socket, EventData::new_u64(id), EventFlags::IN).is_err() {
            return;
        }
        self.connections.insert(id, Connection::new(socket, credentials));
        self.idle_since = None;
        self.tell(id, Reply::Welcome);
    }

    /// Reads what a process says, and sends what waits for it.
    fn serve(&mut self, id: ClientId, flags: EventFlags) {
        if flags.contains(EventFlags::OUT)
            && let Some(connection) = self.connections.get_mut(&id)
        {
            match connection.flush() {
                Ok(()) if connection.has_queue() => {}
                Ok(()) => self.watch(id, EventFlags::IN),
                Err(Gone) => self.gone.push(id),
            }
        }
        for _ in 0..MESSAGES_PER_TURN {
            let Some(connection) = self.connections.get(&id) else { return };
            match packet::receive(connection.socket()) {
                Ok(Received::Nothing) => return,
                Ok(Received::Message(bytes, descriptors)) => {
                    let Ok(request) = Request::decode(&bytes) else { return self.gone.push(id) };
                    if self.obey(id, request, descriptors).is_err() {
                        return self.gone.push(id);
                    }
                }
                Ok(Received::End | Received::Garbage) | Err(_) => return self.gone.push(id),
            }
        }
    }

    /// Does what a process asks.
    ///
    /// # Errors
    /// If no process that keeps to the protocol asks that.
    fn obey(&mut self, id: ClientId, request: Request, descriptors: Descriptors) -> Result<(), ControlError> {
        let connection = self.connections.get_mut(&id).ok_or(ControlError::Lost)?;
        let [socket, None, None, None] = descriptors else { return Err(ControlError::Malformed) };
        let is_first = connection.layout.is_none();
        if is_first != matches!(request, Request::Hello { .. })
            || (socket.is_some() && !matches!(request, Request::Offer { .. }))
        {
            return Err(ControlError::Malformed);
        }
        match request {
            Request::Hello { layout } => connection.layout = Some(layout),
            Request::Offer { token } => match socket {
                Some(socket) => self.offers.present(id, token, OwnedFd::from(socket).into(), Instant::now()),
                // There was no room for it in this process.
                None => self.refuse(id, token, Reason::NO_MEMORY),
            },
            Request::Withdraw { token } => self.offers.withdraw(id, token),
            Request::Release { link, slot, side, unmapped } => {
                if !self.links.release(id, link, slot, side, unmapped) {
                    return Err(ControlError::Malformed);
                }
            }
            Request::Ping => self.tell(id, Reply::Pong(self.status())),
        }
        Ok(())
    }

    fn status(&self) -> Status {
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Status {
            pid: std::process::id(),
            clients: number(self.connections.len()),
            links: number(self.links.len()),
            pending: number(self.offers.len()),
        }
    }

    /// Draws all consequences: pairs what is proven, tells what is to be told, forgets who is gone.
    fn settle(&mut self) {
        loop {
            let effects = self.offers.take_effects();
            let gone = std::mem::take(&mut self.gone);
            if effects.is_empty() && gone.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Tell(id, reply) => self.tell(id, reply),
                    Effect::Pair(first, second) => self.pair(first, second),
                }
            }
            for id in gone {
                self.forget(id);
            }
        }
    }

    /// Gives a proven pair a slot, if the two may have one.
    fn pair(&mut self, first: Offer, second: Offer) {
        let ends = [first, second].map(|offer| self.connections.get(&offer.client));
        let [Some(one), Some(other)] = ends else { return };
        let outcome = if one.credentials.uid != other.credentials.uid {
            Err(Reason::POLICY)
        } else if one.layout != other.layout || one.layout != Some(vmmc_protocol::slot::LAYOUT) {
            Err(Reason::VERSION)
        } else {
            let pids = [one.credentials.pid, other.credentials.pid];
            self.links.pair([first, second], pids).map_err(|_| Reason::NO_MEMORY)
        };
        match outcome {
            Ok(messages) => {
                for (offer, (pairing, segment)) in [first, second].into_iter().zip(messages) {
                    self.send(offer.client, Reply::Paired(pairing), segment);
                }
            }
            Err(reason) => {
                for offer in [first, second] {
                    self.refuse(offer.client, offer.token, reason);
                }
            }
        }
    }

    fn refuse(&mut self, id: ClientId, token: u64, reason: Reason) {
        self.tell(id, Reply::Refused { token, reason });
    }

    fn tell(&mut self, id: ClientId, reply: Reply) {
        self.send(id, reply, None);
    }

    fn send(&mut self, id: ClientId, reply: Reply, segment: Option<crate::link::Segment>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let had_queue = connection.has_queue();
        match connection.send(reply, segment) {
            Ok(()) if connection.has_queue() && !had_queue => self.watch(id, EventFlags::IN | EventFlags::OUT),
            Ok(()) => {}
            Err(Gone) => self.gone.push(id),
        }
    }

    fn watch(&mut self, id: ClientId, flags: EventFlags) {
        let Some(connection) = self.connections.get(&id) else { return };
        if epoll::modify(&self.epoll, connection.socket(), EventData::new_u64(id), flags).is_err() {
            self.gone.push(id);
        }
    }

    fn forget(&mut self, id: ClientId) {
        if self.connections.remove(&id).is_none() {
            return;
        }
        self.offers.forget_client(id);
        for (link, survivor) in self.links.close_all_of(id) {
            self.tell(survivor, Reply::LinkClosed { link });
        }
        if self.connections.is_empty() {
            self.idle_since = Some(Instant::now());
        }
    }
}

fn spare() -> Option<OwnedFd> {
    rustix::fs::open("/dev/null", rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty()).ok()
}
