//! The broker's end of one process's connection.

use crate::limits::QUEUE_MAX;
use crate::link::Segment;
use std::collections::VecDeque;
use std::sync::Arc;
use vmmc_os::Descriptor;
use vmmc_os::channel::{Attached, Channel, Peer, Refusal};
use vmmc_protocol::message::{Bytes, Reply};

/// A connected process.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    pub(crate) peer: Peer,
    /// The version of the slot's words that it speaks, once it has said so.
    pub(crate) layout: Option<u32>,
    /// The bell that it wants rung for all its links, if it has said so.
    pub(crate) bell: Option<Arc<Descriptor>>,
    /// Its table of sockets, for reading alone, if it has handed it over.
    pub(crate) table: Option<Arc<Descriptor>>,
    queue: VecDeque<(Bytes, Objects)>,
}

/// What goes along with a reply.
#[derive(Debug)]
pub(crate) enum Objects {
    None,
    Table(Arc<Descriptor>),
    Segment(Segment),
}

/// The process cannot be spoken to any more.
#[derive(Debug)]
pub(crate) struct Gone;

impl Connection {
    pub(crate) fn new(channel: Channel, peer: Peer) -> Self {
        Self { channel, peer, layout: None, bell: None, table: None, queue: VecDeque::new() }
    }

    /// Whether it waits for room to send.
    pub(crate) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Sends a reply, now or when there is room.
    pub(crate) fn send(&mut self, reply: Reply, objects: Objects) -> Result<(), Gone> {
        if self.queue.len() >= QUEUE_MAX {
            return Err(Gone);
        }
        self.queue.push_back((reply.encode(), objects));
        self.flush()
    }

    /// Sends as much of what waits as there is room for.
    pub(crate) fn flush(&mut self) -> Result<(), Gone> {
        while let Some((bytes, objects)) = self.queue.front() {
            let sent = match objects {
                Objects::None => self.channel.send(bytes, Attached::Nothing),
                Objects::Table(table) => self.channel.send(bytes, Attached::Objects(&[table.number()])),
                Objects::Segment(segment) => {
                    let numbers = segment.each_ref().map(|object| object.number());
                    self.channel.send(bytes, Attached::Objects(&numbers))
                }
            };
            match sent {
                Ok(()) => self.queue.pop_front(),
                Err(Refusal::Busy) => break,
                Err(_) => return Err(Gone),
            };
        }
        Ok(())
    }
}
