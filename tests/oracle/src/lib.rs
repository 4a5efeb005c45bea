//! The oracle: random programs of socket calls, each run by the kernel alone and under `vmmc run`. What they see must be the same.
//!
//! [`generate`] makes a program from a seed, [`Theatre`] runs it, [`judge`] compares, [`shrink`] makes a failing one small. The
//! interpreter that executes programs is C (`interpreter/`), so that the library meets the calls of the C library. It contains no
//! product code. The gate `oracle` of `cargo xtask test` runs its tests; the command `vmmc-oracle` hunts for longer. It stands on
//! `vmmc-tests`, which has the stage and the watchdog. docs/oracle.md tells how to read a failure.
#![forbid(unsafe_code)]

mod generate;
mod hunt;
mod judge;
mod program;
mod random;
mod run;
mod shrink;

pub use generate::generate;
pub use hunt::{Failure, Tally, hunt, replay};
pub use judge::{Care, FULL, LIGHT, Verdict, judge};
pub use program::{Program, Settings, Step};
pub use random::Random;
pub use run::{Outcome, Theatre};
pub use shrink::shrink;
