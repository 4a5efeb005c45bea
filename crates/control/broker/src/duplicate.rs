//! A process's socket, held for a moment.

use crate::limits::LINGERING_MAX;
use vmmc_os::endpoint::Socket;
use vmmc_sync::{AtomicUsize, Ordering};

/// A duplicate of a process's socket. Letting go of it never blocks.
///
/// If the process has closed its own meanwhile, this is the last one, and closing it does what the process wished
/// for: with `SO_LINGER` it waits until all data is acknowledged. That is done beside the broker's loop.
#[derive(Debug)]
pub(crate) struct Duplicate(Option<Socket>);

impl From<Socket> for Duplicate {
    fn from(socket: Socket) -> Self {
        Self(Some(socket))
    }
}

impl Duplicate {
    pub(crate) fn socket(&self) -> &Socket {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

/// Sockets that are being closed beside the loop.
static LINGERING: AtomicUsize = AtomicUsize::new(0);

/// One of them, until dropped.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        LINGERING.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Duplicate {
    fn drop(&mut self) {
        let Some(socket) = self.0.take().filter(Socket::lingers) else { return };
        let before = LINGERING.fetch_add(1, Ordering::Relaxed);
        let counted = Counted;
        if before >= LINGERING_MAX {
            // So many at once come from somebody who wants threads to wait: then nobody waits.
            socket.stop_lingering();
            return;
        }
        let close = move || {
            drop(socket);
            drop(counted);
        };
        // Without a thread it has been closed here after all.
        let _ = std::thread::Builder::new().name("linger".into()).spawn(close);
    }
}
