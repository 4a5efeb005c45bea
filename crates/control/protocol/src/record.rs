//! The table of sockets that a guest process keeps in a shared mapping and `vmmc status` reads.
//!
//! The file is a sealed memfd called [`MEMFD_NAME`], kept open in the guest under a high descriptor number, so that
//! `/proc/PID/fd/N` leads a process of the same user to it. One [`Header`], padded to [`RECORD_SIZE`], then records of
//! [`RECORD_SIZE`] bytes each; a record's first part is [`SocketRecord`], the rest is the library's own.
//! A reader sees each field whole but not all of them at one instant.

use vmmc_sync::{AtomicU32, AtomicU64, Ordering};

/// Name of the memfd, as `/proc/PID/fd` shows it: `/memfd:vmmc-sockets (deleted)`.
pub const MEMFD_NAME: &str = "vmmc-sockets";
/// First word of the header: "VMMCSOK1".
pub const MAGIC: u64 = u64::from_le_bytes(*b"VMMCSOK1");
/// Version of this layout.
pub const VERSION: u32 = 1;
/// Bytes from one record to the next (and of the header).
pub const RECORD_SIZE: usize = 1024;

/// What stands at the beginning of the file.
#[derive(Debug)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// [`VERSION`].
    pub version: AtomicU32,
    /// Process that made the table.
    pub pid: AtomicU32,
    /// Records that were ever in use: readers look at `[0, used)`.
    pub used: AtomicU32,
    /// 0: never asked; 1: connected to the broker; 2: no broker answers.
    pub broker: AtomicU32,
    /// `safe` 0, `latency` 1.
    pub profile: AtomicU32,
    /// Times the library's safety net woke a call that should have had a doorbell: 0 unless something is wrong.
    pub rescues: AtomicU32,
}

/// One direction's counters and state.
#[derive(Debug)]
#[repr(C)]
pub struct DirectionRecord {
    /// 0: kernel road, 1: VMMC road.
    pub road: AtomicU32,
    /// A [`crate::Reason`]'s number, where the road is the kernel's.
    pub reason: AtomicU32,
    /// Data bytes on the kernel road.
    pub kernel_bytes: AtomicU64,
    /// Calls that moved data on the kernel road.
    pub kernel_messages: AtomicU64,
    /// Data bytes on the VMMC road.
    pub vmmc_bytes: AtomicU64,
    /// Calls that moved data on the VMMC road.
    pub vmmc_messages: AtomicU64,
    /// Times this direction moved from one road to the other.
    pub switches: AtomicU64,
    /// Doorbells rung (outgoing) or received (incoming).
    pub doorbells: AtomicU64,
    /// Times a call slept in the kernel for this direction.
    pub sleeps: AtomicU64,
}

/// One socket.
#[derive(Debug)]
#[repr(C)]
pub struct SocketRecord {
    /// 0: free; 1: a socket that is not connected (yet); 2: listening; 3: a connection; 4: of another kind.
    pub kind: AtomicU32,
    /// A descriptor number by which this process family knows it (the first one).
    pub descriptor: AtomicU32,
    /// Process that opened it.
    pub pid: AtomicU32,
    /// Address family: 4, 6 or 0 for unknown.
    pub family: AtomicU32,
    /// Local address, as 16 bytes in two words (IPv4 in the first four bytes), and port.
    pub local: [AtomicU64; 2],
    /// Remote address, likewise.
    pub remote: [AtomicU64; 2],
    /// Local port in the low 16 bits, remote port in the next 16.
    pub ports: AtomicU32,
    /// 1 once the broker has paired the connection with the other end.
    pub paired: AtomicU32,
    /// What this end sends.
    pub outgoing: DirectionRecord,
    /// What this end receives.
    pub incoming: DirectionRecord,
}

/// Adds to a counter that only one thread at a time changes (no locked instruction).
pub fn count(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}
