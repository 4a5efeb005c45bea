//! What a worker is told (one JSON argument) and what it answers (one JSON line each on its standard output).

use serde::{Deserialize, Serialize};

use crate::stats::Latency;

/// What the two workers of a step do with each other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Work {
    /// One message there, the same back, over a socket.
    PingPong,
    /// Messages one way over a socket.
    Stream,
    /// Connect, one request, one reply, close.
    Connect,
    /// Many connections that have exchanged a few messages and then do nothing.
    Idle,
    /// A word there and back in shared memory: what the machine itself needs.
    CacheLine,
    /// Ping-pong by VMMC updates, without sockets.
    RawPingPong,
    /// One way by VMMC updates, without sockets.
    RawStream,
}

/// Which end of a step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// Which kind of socket.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Unix,
}

/// How a program waits for data.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// In a blocking receive.
    Block,
    /// By receiving again and again from a non-blocking socket.
    Busy,
    /// In `epoll_wait`, level-triggered, with a non-blocking socket.
    Epoll,
}

/// A worker's whole order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) role: Role,
    pub(crate) transport: Transport,
    pub(crate) waiting: Waiting,
    /// Bytes of a message.
    pub(crate) size: usize,
    /// How many connections an [`Work::Idle`] step holds.
    pub(crate) connections: usize,
    /// How long to measure, in seconds.
    pub(crate) seconds: f64,
    /// Where the server is; the client's only.
    pub(crate) address: Option<String>,
    /// The processor to stay on.
    pub(crate) cpu: Option<usize>,
    /// The watchdog: the worker ends after this many seconds, whatever happens.
    pub(crate) limit_seconds: u32,
}

/// Processor time in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Cpu {
    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

impl core::ops::Sub for Cpu {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// What one end has measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Measured {
    /// Length of the measured part.
    pub(crate) seconds: f64,
    /// Round trips, messages or connections in it.
    pub(crate) operations: u64,
    /// Data bytes in it, one way.
    pub(crate) bytes: u64,
    /// This process's processor time in it.
    pub(crate) cpu: Cpu,
    /// Present where single operations were timed.
    pub(crate) latency: Option<Latency>,
}

/// What a worker says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The server listens; the client has started. It now waits for a line on its standard input (the client's only).
    Ready { pid: u32, address: String },
    /// It has measured, and keeps everything open until it reads a line or the end of its standard input.
    Done(Measured),
}
