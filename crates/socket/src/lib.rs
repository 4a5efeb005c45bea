//! What a socket is: connections, the descriptor table, blocking, readiness, fork and exec, the service thread.
//!
//! It knows nothing of C strings, varargs or symbols: the faces turn pointers into slices and endings into errno.
//! `vmmc-preload` and `vmmc-wsock32` call it; it stands on `vmmc-stream`, `vmmc-shm` (in `link.rs` only), `vmmc-protocol` and
//! `vmmc-os`.
//!
//! It is the same on every system. A descriptor is a number here; WinSock's SOCKETs are handles, whose place in the table
//! `vmmc_os::descriptor::index` knows. What one system alone has is compiled there alone, a module at a time:
//!
//! | Linux | Windows |
//! | --- | --- |
//! | `close_range`, `sendfile` | |
//! | epoll's sets (`wait/{epoll,hot,registration,set}`) | windows and events that are told (`wait/watched`) |
//! | `wait/select` over bit arrays | `wait/list`: select over a list |
//! | `TCP_INFO` says what the kernel carried before a stream switches | the peer's own count has to be ours (`roads.rs`) |

mod address;
mod again;
mod arena;
mod bereaved;
mod chunks;
#[cfg(target_os = "linux")]
mod close_range;
mod connection;
mod doorbell;
mod end;
mod ending;
#[cfg(target_os = "linux")]
mod family;
mod gate;
mod link;
mod lock;
mod pairing;
mod recv;
mod roads;
mod safety_net;
mod send;
#[cfg(target_os = "linux")]
mod sendfile;
mod service;
mod settings;
#[cfg(windows)]
mod single;
mod spin;
mod table;
#[cfg(test)]
mod tests;

#[cfg(windows)]
use single as family;

pub mod lifecycle;
pub mod options;
pub mod process;
pub mod wait;

pub use ending::Ending;
pub use service::{come_back, step_aside};

/// Most bytes on their way that stand on a thread's stack at once: it may be as small as 16 KiB, of which the program's own frames
/// and a signal's have much.
const ON_STACK: usize = 1024;

/// Calls that move bytes.
pub mod data {
    pub use crate::recv::{discard, recv};
    pub use crate::send::send;
    #[cfg(target_os = "linux")]
    pub use crate::sendfile::sendfile;
}
