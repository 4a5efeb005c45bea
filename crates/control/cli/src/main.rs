//! The command `vmmc`: runs programs over VMMC, shows what they do, measures, and says what is wrong with a machine.
//!
//! It carries no data and opens no connections of its own, save those of the self test. People and scripts call it.
//! It stands on `control/protocol` (what the library leaves to be read), `control/broker` and `bench`.
//!
//! What only one system has stands in `system`, under the same names for each: where programs' tables are found, how a program
//! is launched, what is examined, where the library is.
//!
//! `main` is not Rust's: the standard runtime would ignore SIGPIPE and open closed standard descriptors before we are asked,
//! and a command that `vmmc run` starts must find both as they were.
#![deny(unsafe_code)]
#![cfg_attr(not(test), no_main)]

mod arguments;
mod bench;
mod broker;
mod completions;
mod doctor;
mod failure;
mod man;
mod run;
mod selftest;
mod status;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
mod system;
mod text;

use arguments::{Command, Internal};
use failure::Failure;

/// Where the C runtime enters; the unit tests have a `main` of their own.
#[allow(unsafe_code)]
// SAFETY: the only `main` of this program; its signature is C's, whose arguments may be ignored.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn main() -> i32 {
    let outcome = arguments::parse().and_then(dispatch);
    i32::from(outcome.unwrap_or_else(|failure| failure.report()))
}

/// Hands over to the subcommand, which returns the exit code.
fn dispatch(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Run(options) => run::run(options),
        Command::Status(options) => status::run(options),
        Command::Bench(options) => bench::run(options),
        Command::Doctor(options) => doctor::run(options),
        Command::Broker(options) => broker::run(options),
        Command::Completions(options) => completions::run(options),
        Command::Man(options) => man::run(options),
        Command::Internal(Internal::SelftestPeer(options)) => selftest::run(options),
        Command::Internal(Internal::BenchWorker(worker)) => bench::work(worker),
    }
}
