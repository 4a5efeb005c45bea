//! The broker's end of one process's connection.

use crate::limits::QUEUE_MAX;
use crate::link::Segment;
use crate::sight::Credentials;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::collections::VecDeque;
use vmmc_protocol::message::{Bytes, Reply};
use vmmc_protocol::packet;

/// A connected process.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: OwnedFd,
    pub(crate) credentials: Credentials,
    /// The version of the slot's words that it speaks, once it has said so.
    pub(crate) layout: Option<u32>,
    queue: VecDeque<(Bytes, Option<Segment>)>,
}

/// The process cannot be spoken to any more.
#[derive(Debug)]
pub(crate) struct Gone;

impl Connection {
    pub(crate) fn new(socket: OwnedFd, credentials: Credentials) -> Self {
        Self { socket, credentials, layout: None, queue: VecDeque::new() }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether it waits for room to send.
    pub(crate) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Sends a reply, now or when there is room.
    pub(crate) fn send(&mut self, reply: Reply, segment: Option<Segment>) -> Result<(), Gone> {
        if self.queue.len() >= QUEUE_MAX {
            return Err(Gone);
        }
        self.queue.push_back((reply.encode(), segment));
        self.flush()
    }

    /// Sends as much of what waits as there is room for.
    pub(crate) fn flush(&mut self) -> Result<(), Gone> {
        while let Some((bytes, segment)) = self.queue.front() {
            let numbers = segment.as_ref().map(|segment| segment.each_ref().map(|file| file.as_raw_fd()));
            match packet::send(self.socket.as_fd(), bytes, numbers.as_ref().map_or(&[], |numbers| &numbers[..])) {
                Ok(()) => self.queue.pop_front(),
                Err(Errno::AGAIN) => break,
                Err(_) => return Err(Gone),
            };
        }
        Ok(())
    }
}
