//! Windows, and Wine.
//!
//! A SOCKET, an event and a section are passed around as `i32`, like a descriptor: a kernel handle has 32 significant bits
//! on every Windows, so that 32-bit and 64-bit processes can share them. [`Errno`](crate::Errno) holds WinSock's and Windows'
//! codes, which share one number space.
//!
//! ws2_32's functions are reached by pointers into the *system's* DLL, resolved once (`winsock.rs`), and never by import:
//! the import tables of a guest's modules are rewritten by our own face.
//!
//! # Seams
//!
//! * **The face** gives the socket layer SOCKETs that were made overlapped, which all are but for a thread that has set
//!   `SO_OPENTYPE`: those are never announced to it. It closes sockets itself; [`kernel::close`] is for our own handles.
//! * **Waiting**: a process has one bell, [`bell::of_service`], an auto-reset event. Whoever talks to the broker hands it that
//!   handle in its greeting; the broker duplicates it (with the right to set it) to every peer of the process as `peer_bell`,
//!   and may ring it after it has written a message. The service thread waits on it and on the one handle that
//!   `Client::fd()` names (an event that is set while there is something to receive; -1: there is none, the bell says it).
//! * **Memory**: [`memory::create_sealed`] makes a section without a name; the broker duplicates its handle into the two
//!   processes. [`memory::inspect`] is what a process asks of a handle that it was given.
pub mod abi;
pub mod bell;
pub mod cancel;
pub(crate) mod channel;
pub mod clock;
pub mod descriptor;
pub mod detached;
mod duplicate;
pub mod edition;
pub(crate) mod endpoint;
pub mod futex;
pub mod image;
pub mod inject;
pub mod kernel;
mod listener;
pub mod memory;
mod overlapped;
mod owner;
mod pipe;
pub mod process;
pub mod signal;
pub mod watch;
pub mod winsock;

use windows_sys::Win32::Foundation::{GetLastError, HANDLE};

/// One entry of a poll: a socket, what is asked, what was found. The bits are WSAPoll's.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct PollFd {
    /// The socket; negative: none.
    pub fd: i32,
    /// What is asked.
    pub events: i16,
    /// What was found.
    pub revents: i16,
}

/// The handle of a number that a call here returned.
#[must_use]
pub fn handle(fd: i32) -> HANDLE {
    core::ptr::without_provenance_mut(fd as isize as usize)
}

/// The number of a handle: its low 32 bits are all that counts.
#[must_use]
pub fn number(handle: HANDLE) -> i32 {
    handle.addr() as i32
}

/// The calling thread's last error.
fn last_error() -> crate::Errno {
    // SAFETY: it reads a word of the thread's own.
    crate::Errno(unsafe { GetLastError() } as i32)
}
