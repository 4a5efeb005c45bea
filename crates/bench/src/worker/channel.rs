//! A socket and a way to wait for its data.

use std::hint;
use std::io::{ErrorKind, Read, Write};

use anyhow::{Result, bail};

use crate::job::Waiting;
use crate::system::calls::Epoll;
use crate::system::socket::Socket;

/// Sends and receives whole messages.
#[derive(Debug)]
pub(super) struct Channel {
    socket: Socket,
    epoll: Option<Epoll>,
    keys: Vec<u64>,
}

impl Channel {
    pub(super) fn new(socket: Socket, waiting: Waiting) -> Result<Self> {
        let mut epoll = None;
        if waiting != Waiting::Block {
            socket.never_block()?;
        }
        if waiting == Waiting::Epoll {
            let set = Epoll::new()?;
            set.add(socket.number(), 0)?;
            epoll = Some(set);
        }
        Ok(Self { socket, epoll, keys: Vec::with_capacity(64) })
    }

    pub(super) fn send(&mut self, mut message: &[u8]) -> Result<()> {
        while !message.is_empty() {
            match self.socket.write(message) {
                Ok(sent) => message = &message[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => hint::spin_loop(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Fills `message`; `false` if the peer has ended the stream before its first byte.
    pub(super) fn receive(&mut self, message: &mut [u8]) -> Result<bool> {
        let mut filled = 0;
        while filled < message.len() {
            if let Some(epoll) = &self.epoll {
                epoll.wait(&mut self.keys)?;
            }
            match self.socket.read(&mut message[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => bail!("the peer ended the stream in the middle of a message"),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => hint::spin_loop(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    pub(super) fn finish(&self) -> Result<()> {
        Ok(self.socket.finish()?)
    }
}
