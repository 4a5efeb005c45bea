//! The only room with `cfg(target_os)`: what the operating system must supply, and how each does it.
//!
//! Every call here reaches the kernel by its own instruction and never through libc's symbols, which in a guest are our own.
//! It makes no decisions. Every crate that touches the system calls it. It stands on the types and constants of `libc` and
//! `windows-sys`.
//!
//! A system supplies, in files of the same names: `abi.rs` (the numbers of the socket interface), `kernel.rs` (raw calls),
//! `memory.rs` (mappings, memory that is shared and can't shrink), `futex.rs` (sleep on a word), `clock.rs` (cycle counter,
//! monotonic time), `process.rs` (ids, threads without the C library's help), `signal.rs` (signals held back),
//! `descriptor.rs` (descriptors by number), `bell.rs` (one bit that wakes another process), `watch.rs` (what the service thread waits
//! on), `cancel.rs` (the C library's thread cancellation in a call that sleeps), `channel.rs` (messages with what is attached,
//! see [`channel`]), `endpoint.rs` (what it says of a TCP socket, see [`endpoint`]), `detached.rs` (a
//! program as nobody's child); and in `mod.rs` `PollFd`.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
mod system;

pub mod channel;
pub mod endpoint;

pub use descriptor::Descriptor;
pub use system::*;

/// An error number of the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Errno(pub i32);

impl core::fmt::Debug for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "errno {}", self.0)
    }
}
impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(&std::io::Error::from_raw_os_error(self.0), f)
    }
}
impl core::error::Error for Errno {}
