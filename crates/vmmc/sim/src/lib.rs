//! VMMC in this process's memory, with delay and loss of the peer under the test's hand: a provider for tests and models.
//!
//! It shares no memory with other processes and makes no system call. The stream's tests and loom models call it.
//! It stands on the contract and on `vmmc-sync`'s atomics, so under `cfg(loom)` every access to a buffer is explored.
//!
//! ```
//! use vmmc_contract::{Export, Import};
//! use vmmc_sim::SimBuffer;
//!
//! let buffer = SimBuffer::delayed(4096);
//! let (mine, theirs) = (buffer.export(0, 4096).unwrap(), buffer.import(0, 4096).unwrap());
//! theirs.write(8, b"hello").unwrap();
//! theirs.store(0, 5).unwrap();
//! assert_eq!(mine.load(0), 0, "still on its way");
//! buffer.deliver(2);
//! let mut data = [0; 5];
//! assert!(mine.load(0) == 5 && mine.read(8, &mut data));
//! assert_eq!(&data, b"hello");
//! ```
#![forbid(unsafe_code)]

mod buffer;
mod export;
mod import;
mod words;

pub use buffer::{SimBuffer, Timing};
pub use export::SimExport;
pub use import::SimImport;
