//! What the generator knows of a program so far: who has which descriptor, and how many bytes are on their way.
//!
//! It need not be exact: a program that hangs on the kernel is thrown away. But a call that may block is only generated where
//! this says that it will come back.

use std::collections::BTreeMap;

/// One end of a connection, by number; its other end's number differs in the last bit.
pub(super) type End = usize;

/// What a numbered descriptor is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Connection(End),
    Listener,
    Epoll,
}

/// One end of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct EndState {
    /// Bytes that it can receive now.
    pub(super) unread: usize,
    /// Nothing more will come.
    pub(super) finished: bool,
    /// It has shut down its sending side, or closed.
    pub(super) shut: bool,
    pub(super) nonblocking: bool,
    /// `SO_RCVLOWAT` is larger than 1.
    pub(super) wants_much: bool,
    /// Descriptors of it, in all processes and on their way.
    pub(super) references: usize,
}

/// A process's numbered descriptors.
pub(super) type Slots = BTreeMap<usize, Kind>;

/// The state of all processes.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// The process of each living actor.
    pub(super) actors: BTreeMap<char, usize>,
    pub(super) processes: Vec<Slots>,
    pub(super) ends: Vec<EndState>,
    /// Connections that have been reset, or have had urgent data: nothing may block there.
    pub(super) wild: Vec<bool>,
    /// Connections an end of which was killed: a doorbell may lie there that nobody has read, and then the kernel says "reset" where
    /// it would have said "end". A receive and a poll are told the end all the same; nothing else is generated.
    pub(super) killed: Vec<bool>,
    next_slot: usize,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            actors: [('A', 0), ('B', 1)].into(),
            processes: vec![Slots::new(), Slots::new()],
            next_slot: 0,
            ..Self::default()
        }
    }

    pub(super) fn fresh_slot(&mut self) -> usize {
        self.next_slot += 1;
        self.next_slot - 1
    }

    /// There is room for so many more numbered descriptors.
    pub(super) fn has_room(&self, wanted: usize) -> bool {
        self.next_slot + wanted <= 40
    }

    pub(super) fn slots(&mut self, actor: char) -> &mut Slots {
        let process = self.actors.get(&actor).copied().unwrap_or(0);
        &mut self.processes[process]
    }

    /// The actor's descriptors of connections.
    pub(super) fn connections(&self, actor: char) -> Vec<(usize, End)> {
        let slots = &self.processes[self.actors[&actor]];
        let ends = slots.iter().filter_map(|(slot, kind)| match kind {
            Kind::Connection(end) => Some((*slot, *end)),
            _ => None,
        });
        ends.collect()
    }

    /// The actor's epoll sets.
    pub(super) fn sets(&self, actor: char) -> Vec<usize> {
        let slots = &self.processes[self.actors[&actor]];
        slots.iter().filter(|(_, kind)| matches!(kind, Kind::Epoll)).map(|(slot, _)| *slot).collect()
    }

    /// An actor other than this one that has a descriptor of this end.
    pub(super) fn holder(&self, end: End, except: char) -> Option<(char, usize)> {
        let others = self.actors.keys().filter(|actor| **actor != except);
        others
            .filter_map(|actor| {
                let found = self.connections(*actor).into_iter().find(|(_, theirs)| *theirs == end)?;
                Some((*actor, found.0))
            })
            .next()
    }

    /// Whether this end may be handed on (exec, `SCM_RIGHTS`, splice). What a killed process has left unread cannot be
    /// (ARCHITECTURE.md, "Moving back without the sender").
    pub(super) fn may_hand_on(&self, end: End) -> bool {
        self.ends[end].unread == 0 || !self.killed[end / 2]
    }

    pub(super) fn is_wild(&self, end: End) -> bool {
        self.wild[end / 2]
    }

    pub(super) fn add(&mut self, actor: char, slot: usize, kind: Kind) {
        if let Kind::Connection(end) = kind {
            self.ends[end].references += 1;
        }
        self.slots(actor).insert(slot, kind);
    }

    /// The descriptor is closed; the last one of an end closes that.
    pub(super) fn remove(&mut self, actor: char, slot: usize) {
        if let Some(Kind::Connection(end)) = self.slots(actor).remove(&slot) {
            self.release(end);
        }
    }

    fn release(&mut self, end: End) {
        self.ends[end].references -= 1;
        if self.ends[end].references == 0 {
            // Bytes that nobody has read reset the connection, and so does a byte that comes after the close.
            self.wild[end / 2] |= self.ends[end].unread > 0;
            self.ends[end].shut = true;
            self.ends[end ^ 1].finished = true;
        }
    }

    /// The actor's process has ended.
    pub(super) fn end_process(&mut self, actor: char, killed: bool) {
        let process = self.actors[&actor];
        self.actors.retain(|_, theirs| *theirs != process);
        for kind in std::mem::take(&mut self.processes[process]).into_values() {
            if let Kind::Connection(end) = kind {
                self.killed[end / 2] |= killed;
                self.release(end);
            }
        }
    }

    /// A child with the same descriptors.
    pub(super) fn fork(&mut self, parent: char, child: char) {
        let slots = self.slots(parent).clone();
        for kind in slots.values() {
            if let Kind::Connection(end) = kind {
                self.ends[*end].references += 1;
            }
        }
        self.processes.push(slots);
        self.actors.insert(child, self.processes.len() - 1);
    }

    /// An actor has sent so many bytes from an end.
    pub(super) fn sent(&mut self, end: End, bytes: usize) {
        if self.ends[end].shut {
            return;
        }
        if self.ends[end ^ 1].references == 0 {
            self.wild[end / 2] = true;
        } else {
            self.ends[end ^ 1].unread += bytes;
        }
    }
}
