//! A stream socket of either kind.

use std::fs;
use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};

use crate::job::Transport;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, String),
}

impl Listener {
    /// Listens at a free address of this host.
    pub(crate) fn open(transport: Transport) -> Result<Self> {
        match transport {
            Transport::Tcp => TcpListener::bind("127.0.0.1:0").map(Self::Tcp),
            Transport::Unix => {
                let path = std::env::temp_dir().join(format!("vmmc-bench-{}.sock", std::process::id()));
                UnixListener::bind(&path).map(|listener| Self::Unix(listener, path.to_string_lossy().into_owned()))
            }
        }
    }

    /// Where a client finds it.
    pub(crate) fn address(&self) -> Result<String> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(|address| address.to_string()),
            Self::Unix(_, path) => Ok(path.clone()),
        }
    }

    pub(crate) fn accept(&self) -> Result<Socket> {
        match self {
            Self::Tcp(listener) => listener.accept().map(|(socket, _)| Socket::Tcp(socket)),
            Self::Unix(listener, _) => listener.accept().map(|(socket, _)| Socket::Unix(socket)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = fs::remove_file(path);
        }
    }
}

impl Socket {
    pub(crate) fn connect(transport: Transport, address: &str) -> Result<Self> {
        match transport {
            Transport::Tcp => TcpStream::connect(address).map(Self::Tcp),
            Transport::Unix => UnixStream::connect(address).map(Self::Unix),
        }
    }

    /// Its number.
    pub(crate) fn number(&self) -> i32 {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Unix(socket) => socket.as_raw_fd(),
        }
    }

    /// Small messages leave at once (TCP_NODELAY), as every request-and-reply program asks.
    pub(crate) fn send_at_once(&self) -> Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nodelay(true),
            Self::Unix(_) => Ok(()),
        }
    }

    pub(crate) fn never_block(&self) -> Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nonblocking(true),
            Self::Unix(socket) => socket.set_nonblocking(true),
        }
    }

    /// Ends the stream to the peer; the peer's still arrives.
    pub(crate) fn finish(&self) -> Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, data: &[u8]) -> Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(data),
            Self::Unix(socket) => socket.write(data),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
