//! Programs for Windows under Wine: a scenario runs with `wsock32.dll` beside the programs and without, and must come out the same.
//!
//! It contains no product code, and nothing that others wrote: their sources are fetched from Debian's archive, held against a
//! checksum, and compiled for Windows when a test needs them. The tests in `tests/` call [`compare()`]; the gate `windows` of
//! `cargo xtask test` runs them. It stands on what `cargo xtask windows` builds (`VMMC_WINDOWS_BIN` names another directory), and
//! on the release build of the workspace (`VMMC_BIN` names another `vmmc`).
//!
//! `VMMC_TEST_ROADS=kernel` runs only what needs no DLL.

mod build;
mod compare;
pub mod conformance;
mod linux;
mod namespace;
pub mod programs;
mod source;
mod stage;
mod wine;

pub use build::{Build, Linked};
pub use compare::{compare, compare_with, kernel_road_only};
pub use linux::Linux;
pub use source::Source;
pub use stage::{Stage, built};
pub use vmmc_tests::{Ends, Finished, Launch, Program};
