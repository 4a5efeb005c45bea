//! A stream socket; there is one kind.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::job::Transport;

/// A connected socket.
#[derive(Debug)]
pub(crate) struct Socket(TcpStream);

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener(TcpListener);

fn tcp(transport: Transport) -> Result<()> {
    match transport {
        Transport::Tcp => Ok(()),
        Transport::Unix => Err(Error::new(ErrorKind::Unsupported, "AF_UNIX is not measured on Windows")),
    }
}

impl Listener {
    /// Listens at a free address of this host.
    pub(crate) fn open(transport: Transport) -> Result<Self> {
        tcp(transport)?;
        TcpListener::bind("127.0.0.1:0").map(Self)
    }

    /// Where a client finds it.
    pub(crate) fn address(&self) -> Result<String> {
        self.0.local_addr().map(|address| address.to_string())
    }

    pub(crate) fn accept(&self) -> Result<Socket> {
        self.0.accept().map(|(socket, _)| Socket(socket))
    }
}

impl Socket {
    pub(crate) fn connect(transport: Transport, address: &str) -> Result<Self> {
        tcp(transport)?;
        TcpStream::connect(address).map(Self)
    }

    /// Its number. No call here takes one.
    pub(crate) fn number(&self) -> i32 {
        0
    }

    /// Small messages leave at once (TCP_NODELAY), as every request-and-reply program asks.
    pub(crate) fn send_at_once(&self) -> Result<()> {
        self.0.set_nodelay(true)
    }

    pub(crate) fn never_block(&self) -> Result<()> {
        self.0.set_nonblocking(true)
    }

    /// Ends the stream to the peer; the peer's still arrives.
    pub(crate) fn finish(&self) -> Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, data: &[u8]) -> Result<usize> {
        self.0.write(data)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
