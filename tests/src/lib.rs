//! The whole, tested: a scenario of real programs runs plainly and under `vmmc run`, and must come out the same.
//!
//! It contains no product code and knows the product only by its command: `vmmc run`, `vmmc broker`, `vmmc status --json`.
//! The tests in `tests/` call [`compare`]; the gates `behaviour` and `programs` of `cargo xtask test` run them.
//! It stands on the release build of the workspace (`VMMC_BIN` names another `vmmc`).
//!
//! `VMMC_TEST_ROADS=kernel` runs only what needs no library.

mod behaviour;
mod built;
mod compare;
pub mod net;
mod program;
mod stage;
mod status;

pub use behaviour::{Road, behaves};
pub use built::{built, ends, source};
pub use compare::{Ends, Expect, compare, compare_whole, compare_with};
pub use program::{Finished, Launch, Program, find};
pub use stage::Stage;
pub use status::{Moved, Status};
