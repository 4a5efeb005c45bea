//! Messages between two processes of one host, with sockets and memory attached; never on the data path.
//!
//! A message has a fixed number of bytes and arrives whole or not at all. What is attached to it is the sender's and stays
//! open there; the receiver gets its own. On Linux a channel is a sequenced-packet socket and what is attached travels as
//! `SCM_RIGHTS`. On Windows it is a message-mode pipe, and what is attached is duplicated by the listening end, which opens
//! the connecting process for that; so only the end that listens makes objects known, in both directions, and the other
//! is never opened.
use core::fmt;

pub use crate::system::channel::{
    Arrived, Channel, HIDES_MEMORY, Listener, PLACE_DEFAULT, PLACE_MAX, PLACE_OF_SYSTEM, Waiter, bell_of_process,
    check_place, is_place, session_place, system_place,
};

/// No message carries more objects.
pub const ATTACHED_MAX: usize = 4;

/// What goes along with a message. Numbers as the system has them, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Attached<'numbers> {
    /// Nothing.
    Nothing,
    /// A TCP socket, for the receiver to look at. From the connecting end only.
    Socket(i32),
    /// At most [`ATTACHED_MAX`] memory files and bells, in order.
    Objects(&'numbers [i32]),
}

/// What a look at a channel found.
#[derive(Debug)]
pub enum Received<const SIZE: usize> {
    /// Nothing at the moment.
    Nothing,
    /// The other end is gone.
    End,
    /// Not a message of the one size that there is.
    Garbage,
    /// A message, not looked at yet, and what was attached to it.
    Message([u8; SIZE], Arrived),
}

/// Who opened the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Process, or 0 if it cannot be seen from here.
    pub pid: u32,
    /// User: equal numbers are equal users. `None` if it is one of those who have no number in this user namespace. On
    /// Windows always 0, since a pipe admits its owner alone.
    pub user: Option<u32>,
}

/// Who may speak to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The listener's own user (and root).
    Owner,
    /// Every user of the host. Not on Windows.
    Everyone,
}

/// What a wait for many channels has found about one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The key that it was added with; the listener's is [`LISTENER`].
    pub key: u64,
    /// A message that did not fit may be tried again.
    pub has_room: bool,
}

/// The key under which a [`Waiter`] reports its listener.
pub const LISTENER: u64 = 0;

/// Why something could not be done with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody listens at the place.
    Absent,
    /// The place, or who listens there, is not this user's (or root's).
    Untrusted,
    /// Nothing was sent, or nobody could be connected to: try again a little later.
    Busy,
    /// The other end is gone.
    Lost,
    /// Another error of the system's.
    System(i32),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "nobody listens there",
            Self::Untrusted => "the place is not this user's own",
            Self::Busy => "the other end is busy",
            Self::Lost => "the other end has gone away",
            Self::System(number) => return write!(f, "the system refused (error {number})"),
        })
    }
}

impl core::error::Error for Refusal {}
