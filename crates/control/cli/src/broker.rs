//! `vmmc broker`: the process that pairs the two ends of a connection and gives them memory.

use crate::failure::{Failure, complain};
use crate::system::runtime;
use std::time::Duration;

/// Run the broker, which pairs the two ends of a connection, in the foreground
#[derive(Debug, clap::Args)]
#[command(long_about = "\
Run the broker, which pairs the two ends of a connection, in the foreground.

`vmmc run` starts a broker by itself, so there is seldom a reason to. The broker makes the memory that two ends share and \
is never in the data's way: when it ends, connections go on, and only new ones stay on the kernel's TCP until there is \
a broker again.")]
#[command(after_help = "\
Examples:
  vmmc broker                    until Ctrl-C
  vmmc broker --idle-exit 60     until nobody has needed it for a minute

Its socket is `broker.sock` in VMMC_RUNTIME_DIR, else in $XDG_RUNTIME_DIR/vmmc, else in /tmp/vmmc-UID.")]
pub(crate) struct Options {
    /// End when no program has been connected for this long
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    idle_exit: Option<u64>,
    /// How `vmmc run` starts it: say nothing, and end when nobody has needed it for a good while
    #[arg(long, hide = true)]
    background: bool,
}

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    let dir = runtime::directory().map_err(Failure::of_input)?;
    let idle_exit =
        options.idle_exit.map(Duration::from_secs).or_else(|| options.background.then_some(vmmc_broker::IDLE_EXIT));
    let place = dir.display().to_string();
    if !options.background {
        complain(&format!("the broker serves {place}; Ctrl-C ends it"));
    }
    vmmc_broker::run(&vmmc_broker::Options { dir, idle_exit })
        .map_err(|error| Failure::of_work(format!("{place}: {error}")))?;
    Ok(0)
}
