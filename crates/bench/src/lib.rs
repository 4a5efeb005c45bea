//! `vmmc bench`: plain socket programs over kernel TCP, AF_UNIX and VMMC sockets, side by side with two floors.
//!
//! It measures, compares with the project's targets and draws; it does not know how VMMC sockets work. Its programs are
//! separate processes (this executable again, under a hidden subcommand) and differ only in how they are started.
//! The command `vmmc` calls [`run`] for `vmmc bench` and [`worker`] for the hidden [`WORKER`] subcommand.
//! It stands on `std`'s sockets, on `vmmc-shm` for the raw floor, and on `vmmc-protocol` to see which road data took.
//!
//! One step is one pair of processes: a test over one road with one message size, once. Steps are interleaved in rounds
//! (kernel, unix, VMMC, floors, kernel, ...), so that whatever else the machine does falls on all of them alike; what is
//! reported is the median over the rounds, and a ratio is the median of the rounds' ratios.

mod job;
mod machine;
mod model;
mod options;
mod pair;
mod plan;
mod process;
mod progress;
mod report;
mod run;
mod stats;
mod status;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
mod system;
mod worker;

pub use options::{Benchmark, Options, RoadChoice};

/// The hidden subcommand under which this executable becomes one end of a step.
pub const WORKER: &str = "bench-worker";

/// Runs the benchmarks that `options` names, prints the tables and writes the files.
///
/// # Errors
/// If a file cannot be written, or if a target was missed and `--check` was given. A step that fails is part of the table.
pub fn run(options: Options) -> anyhow::Result<()> {
    run::run(&options)
}

/// Becomes one end of a step. `args` is what followed [`WORKER`] on the command line.
///
/// # Errors
/// If the order is not understood or the step fails; the caller prints it on standard error and exits with a code other than 0.
pub fn worker(args: &[String]) -> anyhow::Result<()> {
    worker::run(args)
}
