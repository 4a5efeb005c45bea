//! What the processes of one host say to each other about connections; never on the data path.
//!
//! Messages to and from the broker, the shared table of sockets that `vmmc status` reads, the table of reasons, and the
//! settings that travel in the environment. It opens no sockets and makes no decisions.
//! The guest's library, the broker and the command call it. It stands on `vmmc-os`, whose channels carry the messages, and
//! `vmmc-sync`.
//!
//! A guest's service thread asks with a [`Client`]; docs/control-protocol.md tells the whole conversation.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

pub mod client;
mod error;
pub mod message;
pub mod reason;
pub mod record;
pub mod runtime_dir;
pub mod settings;
pub mod slot;

pub use client::{Client, Event, NewSegment, Paired};
pub use error::ControlError;
pub use message::{Pairing, Side, Status};
pub use reason::Reason;
pub use runtime_dir::RuntimeDir;
pub use vmmc_os::Descriptor;
