//! A process's socket, held for a moment.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::sockopt::socket_linger;
use std::time::Duration;

/// A duplicate of a process's socket. Letting go of it never blocks.
///
/// If the process has closed its own meanwhile, this is the last descriptor, and closing it does what the process wished
/// for: with `SO_LINGER` it waits until all data is acknowledged. That is done beside the broker's loop.
#[derive(Debug)]
pub(crate) struct Duplicate(Option<OwnedFd>);

impl From<OwnedFd> for Duplicate {
    fn from(socket: OwnedFd) -> Self {
        Self(Some(socket))
    }
}

impl Duplicate {
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.0.as_ref().expect("it is there until it is dropped").as_fd()
    }
}

impl Drop for Duplicate {
    fn drop(&mut self) {
        let socket = self.0.take();
        let lingers = socket.as_ref().is_some_and(|socket| {
            socket_linger(socket).is_ok_and(|time| time.is_some_and(|time| time > Duration::ZERO))
        });
        if lingers {
            // Without a thread it is closed here after all.
            let _ = std::thread::Builder::new().name("linger".into()).spawn(move || drop(socket));
        }
    }
}
