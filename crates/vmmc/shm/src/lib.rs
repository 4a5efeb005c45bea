//! VMMC on one host: exported memory is mapped by the importer, and a deliberate update is an ordered store.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod bell;
mod copy;
mod export;
mod import;
mod segment;
mod window;

pub use export::ShmExport;
pub use import::ShmImport;
pub use segment::{SEGMENT_BYTES_MAX, Segment, SegmentError};
