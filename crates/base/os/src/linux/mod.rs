//! Linux.
pub mod abi;
pub mod bell;
pub mod cancel;
pub(crate) mod channel;
pub mod clock;
pub mod descriptor;
pub mod detached;
pub(crate) mod endpoint;
pub mod futex;
pub mod kernel;
pub mod memory;
pub(crate) mod place;
pub mod process;
mod select;
pub mod signal;
pub mod watch;

pub use libc::{epoll_event as EpollEvent, pollfd as PollFd};
