//! `vmmc bench`: not on Windows yet.

use crate::failure::Failure;

/// The hidden subcommand under which this executable would become one end of a measurement.
pub(crate) const WORKER: &str = "bench-worker";

/// Measuring is for Linux yet
#[derive(Debug, clap::Args)]
pub(crate) struct Options {}

/// One end of a measurement
#[derive(Debug, clap::Args)]
pub(crate) struct Worker {}

pub(crate) fn run(_: Options) -> Result<u8, Failure> {
    Err(Failure::of_work("there is no benchmark for Windows yet"))
}

pub(crate) fn work(_: Worker) -> Result<u8, Failure> {
    Err(Failure::of_input("there is no benchmark for Windows yet"))
}
