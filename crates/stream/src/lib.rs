//! One direction of a connection: bytes in order over two VMMC windows, and back over the kernel road.
//!
//! It does no I/O, makes no system call and has no clock: it says what to read or ring, its caller does it.
//! `vmmc-socket` calls it, for each direction once as [`Sender`] and once as [`Receiver`].
//! It stands on `vmmc-contract` (windows) and `vmmc-sync` (atomics), and sees no provider.
//!
//! # Primer
//! A stream X→Y travels on the kernel road or on the VMMC road. X moves it to the ring at a kernel-road byte count
//! (`switch_at`) that both ends know, and back at a ring offset (`leave_at`); kernel-road bytes in between, up to
//! `resume_at`, are doorbells and carry no data. An *epoch* counts these moves: odd is the VMMC road. Y completes a move
//! when it has read everything before it, and says so (`ack`). X may leave before Y has completed the switch, but
//! switches again only when Y has completed the leave; so at most one switch and one leave are ever under way.
//!
//! The caller holds the stream's gate: one thread at a time uses a `Sender` or a `Receiver` of one state.
#![forbid(unsafe_code)]

mod ahead;
mod back;
pub mod layout;
mod receiver;
mod sender;
mod state;

pub use ahead::Ahead;
pub use back::Back;
pub use receiver::{Next, Receiver};
pub use sender::Sender;
pub use state::{RecvState, SendState};

/// Where a stream's next byte travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// Through the kernel socket.
    Kernel,
    /// Through the receiver's exported ring.
    Vmmc,
}

impl Road {
    /// The road that an epoch means: odd is VMMC.
    #[must_use]
    pub const fn of(epoch: u64) -> Self {
        if epoch & 1 == 1 { Self::Vmmc } else { Self::Kernel }
    }
}

/// What an end hints at when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It sends no more, and receives nothing any more.
    Whole = 1,
    /// It resets the connection on purpose.
    Reset = 2,
    /// It sends no more, but receives.
    Half = 3,
}

/// The peer wrote something impossible, or a stranger wrote to the kernel road: the connection must be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// An index, epoch or length that no honest peer writes.
    Index,
    /// A byte on the kernel road between switch and leave that no doorbell accounts for.
    StrangerByte,
}
