//! A process's socket, held for a moment.

use vmmc_os::endpoint::Socket;

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

impl Drop for Duplicate {
    fn drop(&mut self) {
        let socket = self.0.take();
        if socket.as_ref().is_some_and(Socket::lingers) {
            // Without a thread it is closed here after all.
            let _ = std::thread::Builder::new().name("linger".into()).spawn(move || drop(socket));
        }
    }
}
