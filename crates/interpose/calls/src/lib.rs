//! The manifest: every function of the C library that takes or makes a descriptor, and its fate in `libvmmc.so`.
//!
//! It is a table and a gate; it is not in the guest's process and calls nothing. The gate, `docs/compatibility.md` and the
//! faces' tests read it. It stands on nothing of the project's.

mod document;
mod feature;
mod features;
pub mod gate;
mod row;
mod table;

pub use document::compatibility;
pub use feature::{Feature, Part, Road};
pub use features::FEATURES;
pub use row::{Class, Fate, Row};
pub use table::TABLE;

/// The rows' symbols that `libvmmc.so` exports, other names included.
pub fn intercepted() -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter(|row| row.fate != Fate::Passes).flat_map(Row::names)
}
