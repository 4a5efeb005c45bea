//! VMMC between processes of one host: the importer maps what the exporter exports, and a deliberate update is a store.
//!
//! It passes no descriptors between processes and decides nothing about who may talk to whom: its user does. The socket
//! layer calls its windows, programs that want VMMC itself call its buffers. It stands on the contract and on `base/os`.
//!
//! Two storeys:
//!
//! * **Windows**: a [`Segment`] is a mapped, sealed memory file; a [`ShmExport`] or a [`ShmImport`] is an address and a
//!   length in it, checked against bounds and nothing else. They are plain words, so that a table shared by a family of
//!   processes can hold them.
//! * **Buffers**: an [`ExportedBuffer`] makes [`Grant`]s with permissions, takes them back, is notified and redirects; a
//!   [`GrantedImport`] checks its grant before every update.
//!
//! ```
//! use vmmc_contract::{Export, Import, Permission, WriteError};
//! use vmmc_shm::{ExportedBuffer, GrantedImport};
//!
//! // The receiver exports a buffer and grants it. `grant.memory`, `grant.bell` and `grant.number` would now go to the
//! // sender's process, over a socket or by inheritance.
//! let buffer = ExportedBuffer::create(4096, 0)?;
//! let grant = buffer.grant(Permission::Write)?;
//! let number = grant.number;
//!
//! // The sender imports it, and updates it: the data first, then the word that says how much there is.
//! let import = GrantedImport::accept(grant)?;
//! import.write(8, b"hello").unwrap();
//! import.store(0, 5).unwrap();
//! import.notify().unwrap();
//!
//! // The receiver sleeps until it is notified, or polls its own memory.
//! assert!(buffer.wait_notification(None).unwrap());
//! let mut data = [0; 5];
//! assert!(buffer.load(0) == 5 && buffer.read(8, &mut data));
//! assert_eq!(&data, b"hello");
//!
//! buffer.revoke(number);
//! assert_eq!(import.store(0, 6), Err(WriteError::Revoked));
//! # Ok::<(), vmmc_shm::GrantError>(())
//! ```
//! `examples/one_sided.rs` does the same between two processes.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod buffer;
mod copy;
mod export;
mod grant;
mod granted;
mod import;
mod segment;
mod window;

pub use buffer::ExportedBuffer;
pub use export::ShmExport;
pub use grant::{GRANTS_MAX, Grant, GrantError};
pub use granted::GrantedImport;
pub use import::ShmImport;
pub use segment::{SEGMENT_BYTES_MAX, Segment, SegmentError};
pub use vmmc_os::Descriptor;
