//! What the processes of one host say to each other about connections; never on the data path.
//!
//! Messages to and from the broker, the shared table of sockets that `vmmc status` reads, the table of reasons, and the
//! settings that travel in the environment. It opens no sockets and makes no decisions.
//! The guest's library, the broker and the command call it. It stands on `vmmc-sync`.

pub mod reason;
pub mod record;
pub mod settings;

pub use reason::Reason;
