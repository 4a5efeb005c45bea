//! `vmmc bench`: a door to the crate that measures.

use crate::failure::Failure;

pub(crate) use vmmc_bench::{Options, WORKER};

/// One end of a measurement
#[derive(Debug, clap::Args)]
pub(crate) struct Worker {
    /// What the measuring process ordered
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    order: Vec<String>,
}

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    vmmc_bench::run(options)?;
    Ok(0)
}

pub(crate) fn work(worker: Worker) -> Result<u8, Failure> {
    vmmc_bench::worker(&worker.order)?;
    Ok(0)
}
