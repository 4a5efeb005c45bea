//! The broker's loop: processes come, ask, are answered, and go.

use crate::connection::{Connection, Gone, Objects};
use crate::limits::{ACCEPTS_PER_TURN, DESCRIPTORS_PER_CLIENT, DESCRIPTORS_RESERVED, MESSAGES_PER_TURN};
use crate::links::{End, Links};
use crate::offers::{ClientId, Effect, Offer, Offerer, Offers};
use crate::policy::{Party, Policy};
use crate::room::Room;
use crate::sight::Key;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vmmc_os::channel::{Access, Arrived, Channel, LISTENER, Listener, Ready, Received, Waiter};
use vmmc_os::{Descriptor, memory, process};
use vmmc_protocol::message::{Reply, Request, SIZE, Status};
use vmmc_protocol::{ControlError, Reason};

/// A broker that listens. It does something only inside [`Broker::turn`].
#[derive(Debug)]
pub struct Broker {
    listener: Listener,
    waiter: Waiter,
    connections: HashMap<ClientId, Connection>,
    last_client: ClientId,
    offers: Offers,
    links: Links,
    /// The descriptors that this process may have.
    room: Room,
    policy: Policy,
    /// Processes that cannot be spoken to any more, to be forgotten before the turn ends.
    gone: Vec<ClientId>,
    /// Since when no process has been connected.
    idle_since: Option<Instant>,
}

impl Broker {
    /// Takes the broker's place in the runtime directory `dir`, which is made if need be, for one user or for all, and goes
    /// by this policy.
    ///
    /// # Errors
    /// `AddrInUse` if another broker has it; `PermissionDenied` if others can write the directory; the kernel's.
    pub fn bind(dir: &Path, access: Access, policy: Policy) -> io::Result<Self> {
        Self::listening(Listener::take(dir.as_os_str().as_encoded_bytes(), access)?, access, policy)
    }

    /// As [`bind`](Self::bind), at the socket that the manager of services has handed over; `None` if it has not.
    ///
    /// # Errors
    /// The kernel's, or if what was handed over is no such socket.
    pub fn handed_over(policy: Policy) -> io::Result<Option<Self>> {
        Listener::handed_over()?.map(|listener| Self::listening(listener, Access::Everyone, policy)).transpose()
    }

    fn listening(mut listener: Listener, access: Access, policy: Policy) -> io::Result<Self> {
        let divided = access == Access::Everyone;
        let (descriptors, _) = process::descriptor_limit();
        let all = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let room = Room::new(all.saturating_sub(DESCRIPTORS_RESERVED).max(all / 2), divided);
        Ok(Self {
            waiter: Waiter::new(&mut listener)?,
            listener,
            connections: HashMap::new(),
            last_client: LISTENER,
            offers: Offers::new(divided),
            links: Links::new(),
            room,
            policy,
            gone: Vec::new(),
            idle_since: Some(Instant::now()),
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
        for ready in self.waiter.wait(wait)? {
            match ready.key {
                LISTENER => self.accept(),
                _ => self.serve(ready),
            }
            self.settle();
        }
        Ok(())
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(channel) = self.listener.accept() else { return };
            self.welcome(channel);
        }
    }

    fn welcome(&mut self, channel: Channel) {
        let Some(peer) = channel.peer() else { return };
        if !self.room.take(peer.user, DESCRIPTORS_PER_CLIENT) {
            return;
        }
        self.last_client += 1;
        let id = self.last_client;
        if self.waiter.add(&channel, id).is_err() {
            self.room.give_back(peer.user, DESCRIPTORS_PER_CLIENT);
            return;
        }
        self.connections.insert(id, Connection::new(channel, peer));
        self.idle_since = None;
        self.tell(id, Reply::Welcome);
    }

    /// Reads what a process says, and sends what waits for it.
    fn serve(&mut self, Ready { key: id, has_room }: Ready) {
        if has_room && let Some(connection) = self.connections.get_mut(&id) {
            match connection.flush() {
                Ok(()) if connection.has_queue() => {}
                Ok(()) => self.want_room(id, false),
                Err(Gone) => self.gone.push(id),
            }
        }
        for _ in 0..MESSAGES_PER_TURN {
            let Some(connection) = self.connections.get(&id) else { return };
            match connection.channel.receive::<SIZE>() {
                Ok(Received::Nothing) => return,
                Ok(Received::Message(bytes, arrived)) => {
                    let Ok(request) = Request::decode(&bytes) else { return self.gone.push(id) };
                    if self.obey(id, request, arrived).is_err() {
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
    fn obey(&mut self, id: ClientId, request: Request, arrived: Arrived) -> Result<(), ControlError> {
        let connection = self.connections.get_mut(&id).ok_or(ControlError::Lost)?;
        let is_first = connection.layout.is_none();
        let brings = matches!(request, Request::Hello { .. } | Request::Offer { .. } | Request::Table);
        if is_first != matches!(request, Request::Hello { .. }) || arrived.count() > usize::from(brings) {
            return Err(ControlError::Malformed);
        }
        match request {
            Request::Hello { layout } => {
                connection.layout = Some(layout);
                connection.bell = one(arrived);
            }
            Request::Offer { token } => match arrived.into_socket() {
                Some(socket) => {
                    let by = Offerer { client: id, user: connection.peer.user };
                    self.offers.present(by, token, socket.into(), Instant::now());
                }
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
            // What cannot be opened for reading alone is not shown.
            Request::Table => connection.table = one(arrived).and_then(|table| read_only(&table)),
            Request::Tables => self.show_tables(id),
        }
        Ok(())
    }

    /// Shows a process the tables of its user's processes.
    fn show_tables(&mut self, id: ClientId) {
        let user = self.connections.get(&id).and_then(|asking| asking.peer.user);
        let same = self.connections.values().filter(|one| one.peer.user.is_some() && one.peer.user == user);
        let tables = same.filter_map(|one| Some((one.peer.pid, Arc::clone(one.table.as_ref()?))));
        for (pid, table) in tables.collect::<Vec<_>>() {
            self.send(id, Reply::Table { pid }, Objects::Table(table));
        }
        self.tell(id, Reply::Pong(self.status()));
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
                    Effect::Pair(first, second, key) => self.pair(first, second, key),
                }
            }
            for id in gone {
                self.forget(id);
            }
        }
    }

    /// Gives a proven pair a slot, if the two may have one.
    fn pair(&mut self, first: Offer, second: Offer, key: Key) {
        let ends = [first, second].map(|offer| self.connections.get(&offer.client));
        let [Some(one), Some(other)] = ends else { return };
        let party = |of: &Connection, (address, port)| Party { pid: of.peer.pid, user: of.peer.user, address, port };
        let parties = [party(one, key.own()), party(other, key.mirror().own())];
        let outcome = if !self.policy.allows([&parties[0], &parties[1]]) {
            Err(Reason::POLICY)
        } else if one.layout != other.layout || one.layout != Some(vmmc_protocol::slot::LAYOUT) {
            Err(Reason::VERSION)
        } else {
            let end =
                |offer, of: &Connection| End { offer, pid: of.peer.pid, user: of.peer.user, bell: of.bell.clone() };
            self.links.pair([end(first, one), end(second, other)], &mut self.room).map_err(|_| Reason::NO_MEMORY)
        };
        match outcome {
            Ok(messages) => {
                for (offer, (pairing, segment)) in [first, second].into_iter().zip(messages) {
                    let objects = segment.map_or(Objects::None, Objects::Segment);
                    self.send(offer.client, Reply::Paired(pairing), objects);
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
        self.send(id, reply, Objects::None);
    }

    fn send(&mut self, id: ClientId, reply: Reply, objects: Objects) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let had_queue = connection.has_queue();
        match connection.send(reply, objects) {
            Ok(()) if connection.has_queue() && !had_queue => self.want_room(id, true),
            Ok(()) => {}
            Err(Gone) => self.gone.push(id),
        }
    }

    fn want_room(&mut self, id: ClientId, wanted: bool) {
        let Some(connection) = self.connections.get(&id) else { return };
        if self.waiter.want_room(&connection.channel, id, wanted).is_err() {
            self.gone.push(id);
        }
    }

    fn forget(&mut self, id: ClientId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.waiter.remove(&connection.channel, id);
        self.offers.forget_client(id);
        self.room.give_back(connection.peer.user, DESCRIPTORS_PER_CLIENT);
        for (link, survivor) in self.links.close_all_of(id, &mut self.room) {
            self.tell(survivor, Reply::LinkClosed { link });
        }
        if self.connections.is_empty() {
            self.idle_since = Some(Instant::now());
        }
    }
}

/// The one object that came with a message.
fn one(arrived: Arrived) -> Option<Arc<Descriptor>> {
    let [one, ..] = arrived.into_objects();
    one.map(Arc::new)
}

/// A memory file, opened anew for reading alone; none if it is no sealed one. The broker may be allowed to read what whoever
/// sends a descriptor is not: a path of any file can be sent, and only a memory file has seals.
fn read_only(table: &Descriptor) -> Option<Arc<Descriptor>> {
    memory::inspect(table.number()).ok().filter(|found| found.sealed)?;
    memory::reopen_read_only(table.number()).ok().map(Descriptor::new).map(Arc::new)
}
