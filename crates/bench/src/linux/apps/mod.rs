//! Programs that nobody here wrote, as they are installed, on the kernel's road and on VMMC's.

mod nginx;
mod redis;
mod server;

pub(crate) use nginx::nginx;
pub(crate) use redis::redis;

use std::process::Command;

use anyhow::Result;

use crate::model::Road;
use crate::process::{Enabled, Own};

fn enabled(road: Road) -> Enabled {
    if road == Road::Kernel { Enabled::No } else { Enabled::Yes }
}

/// The command that starts `program` with `args`, under `vmmc run` if it is to be enabled.
fn command(enabled: Enabled, program: &str, args: &[&str]) -> Result<Command> {
    if enabled == Enabled::No {
        let mut command = Command::new(program);
        command.args(args);
        return Ok(command);
    }
    Ok(Own::here()?.command(&[enabled.words(), &[program], args].concat()))
}
