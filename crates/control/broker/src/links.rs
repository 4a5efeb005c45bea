//! All links, and which two processes each connects.

use crate::link::{Link, NoRoom, Segment};
use crate::offers::{ClientId, Offer};
use crate::room::{Room, User};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use vmmc_os::Descriptor;
use vmmc_protocol::message::{Pairing, Side};

type LinkId = u64;

#[derive(Debug)]
pub(crate) struct Links {
    links: HashMap<LinkId, Link>,
    /// The link between two processes, the one with the smaller number first; perhaps one process twice.
    between: HashMap<[ClientId; 2], LinkId>,
    /// The links of each process.
    of: HashMap<ClientId, HashSet<LinkId>>,
    next: LinkId,
}

/// One of two ends that are to be paired.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) offer: Offer,
    pub(crate) pid: u32,
    /// Its process's user.
    pub(crate) user: User,
    /// The bell that its process wants rung for all its links.
    pub(crate) bell: Option<Arc<Descriptor>>,
}

impl Links {
    pub(crate) fn new() -> Self {
        // Links outlive their broker: a later one starts somewhere else, so that no number comes twice in a process.
        let next = RandomState::new().hash_one(std::process::id()) & !u64::from(u32::MAX);
        Self { links: HashMap::new(), between: HashMap::new(), of: HashMap::new(), next }
    }

    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    /// Gives two ends a slot in their processes' link, which is made if need be: what to say to each, in order. What
    /// that costs in descriptors each end's user takes of the `room`.
    ///
    /// # Errors
    /// If the system or a user has no room for it.
    pub(crate) fn pair(&mut self, ends: [End; 2], room: &mut Room) -> Result<[(Pairing, Option<Segment>); 2], NoRoom> {
        let [first, second] = ends.each_ref().map(|end| end.offer.client);
        let (offers, pids) = (ends.each_ref().map(|end| end.offer), ends.each_ref().map(|end| end.pid));
        let (users, bells) = (ends.each_ref().map(|end| end.user), ends.map(|end| end.bell));
        let id = self.link_between([first, second], users, bells, room)?;
        let link = self.links.get_mut(&id).expect("it is known between two processes");
        let (slot, chunk) = link.allocate(room)?;
        let first_side = if first <= second { Side::First } else { Side::Second };
        let mut message = |offer: Offer, side: Side, peer_pid: u32| {
            let segment = link.introduce(&chunk, side);
            let offset = chunk.offset(slot);
            let pairing = Pairing {
                token: offer.token,
                link: id,
                slot,
                chunk: chunk.number,
                side,
                ring_capacity: chunk.capacity,
                own_offset: offset,
                peer_offset: offset,
                peer_pid,
                new_segment: segment.is_some(),
            };
            (pairing, segment)
        };
        Ok([message(offers[0], first_side, pids[1]), message(offers[1], first_side.other(), pids[0])])
    }

    /// A process gives up an end of a slot. `false` if the link is one of others: nothing is done. A link that is not
    /// known may have been closed a moment ago, or be an earlier broker's.
    #[must_use]
    pub(crate) fn release(&mut self, client: ClientId, link: LinkId, slot: u32, side: Side, unmapped: bool) -> bool {
        let Some(link) = self.links.get_mut(&link) else { return true };
        let is_its_own = link.ends[side as usize] == client;
        if is_its_own {
            link.release(slot, side, unmapped);
        }
        is_its_own
    }

    /// Closes every link of a process: which they were, and whom each connected it with.
    pub(crate) fn close_all_of(&mut self, client: ClientId, room: &mut Room) -> Vec<(LinkId, ClientId)> {
        let mut closed = Vec::new();
        for id in self.of.remove(&client).unwrap_or_default() {
            let link = self.links.remove(&id).expect("a process's links are known");
            link.give_back(room);
            self.between.remove(&link.ends);
            for survivor in link.ends.into_iter().filter(|end| *end != client) {
                if let Some(ids) = self.of.get_mut(&survivor) {
                    ids.remove(&id);
                }
                closed.push((id, survivor));
            }
        }
        closed
    }

    fn link_between(
        &mut self,
        mut ends: [ClientId; 2],
        mut users: [User; 2],
        mut bells: [Option<Arc<Descriptor>>; 2],
        room: &mut Room,
    ) -> Result<LinkId, NoRoom> {
        if ends[0] > ends[1] {
            ends.reverse();
            users.reverse();
            bells.reverse();
        }
        if let Some(id) = self.between.get(&ends) {
            return Ok(*id);
        }
        let id = self.next;
        self.links.insert(id, Link::new(ends, users, bells, room)?);
        self.next = self.next.wrapping_add(1);
        self.between.insert(ends, id);
        for end in ends {
            self.of.entry(end).or_default().insert(id);
        }
        Ok(id)
    }
}
