//! The broker: pairs the two ends of a connection, creates the memory between their processes, forgets dead processes.
//!
//! It is never on the data path and reads no byte of it; its death ends new pairings and nothing else.
//! The command runs it (`vmmc broker`) and starts it on demand (`vmmc run`). It stands on `vmmc-protocol`, whose
//! messages it answers, and on `vmmc-os`, which knows the system; docs/control-protocol.md tells the whole conversation.
//!
//! One thread, one loop (`broker.rs`), which reads requests (`connection.rs`), lets `offers.rs` find and prove pairs by what
//! `sight.rs` sees of their sockets (`duplicate.rs`), asks the policy (`policy.rs`), and gives them slots (`links.rs`, `link.rs`).
#![forbid(unsafe_code)]

mod broker;
mod connection;
mod duplicate;
mod limits;
mod link;
mod links;
mod offers;
mod policy;
mod room;
mod sight;
mod start;

pub use broker::Broker;
pub use policy::{POLICY_FILE, Party, Policy};
pub use start::{IDLE_EXIT, Options, Seat, ensure_running, run};
