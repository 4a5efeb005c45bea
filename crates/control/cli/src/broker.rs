//! `vmmc broker`: the process that pairs the two ends of a connection and gives them memory.

use crate::failure::{Failure, complain};
use crate::system::runtime;
use std::path::PathBuf;
use std::time::Duration;
use vmmc_broker::{Policy, Seat};
use vmmc_protocol::settings;

/// Run the broker, which pairs the two ends of a connection, in the foreground
#[derive(Debug, clap::Args)]
#[command(long_about = "\
Run the broker, which pairs the two ends of a connection, in the foreground.

`vmmc run` starts a broker by itself, so there is seldom a reason to. The broker makes the memory that two ends share and \
is never in the data's way: when it ends, connections go on, and only new ones stay on the kernel's TCP until there is \
a broker again.

With --system it serves all users and their containers, and pairs whom the policy allows: without a policy, only \
processes of one user. While it listens in /run/vmmc, `vmmc run` uses it and starts none. It needs no privileges if the \
manager of services hands it its socket.")]
#[command(after_help = "\
Examples:
  vmmc broker                    until Ctrl-C
  vmmc broker --idle-exit 60     until nobody has needed it for a minute
  vmmc broker --system           for all users, in /run/vmmc or at the socket that systemd hands over

Its socket is `broker.sock` in VMMC_RUNTIME_DIR, else in $XDG_RUNTIME_DIR/vmmc, else in /tmp/vmmc-UID; with --system in \
VMMC_RUNTIME_DIR, else in /run/vmmc. The policy is read once, at the start; without the file in /etc/vmmc it is that \
processes of one user are paired.")]
pub(crate) struct Options {
    /// Serve all users
    #[arg(long, conflicts_with = "background")]
    system: bool,
    /// Who may be paired with whom [default: /etc/vmmc/policy.toml, if it is there]
    #[arg(long, value_name = "FILE", env = settings::POLICY)]
    policy: Option<PathBuf>,
    /// End when no program has been connected for this long
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    idle_exit: Option<u64>,
    /// How `vmmc run` starts it: say nothing, and end when nobody has needed it for a good while
    #[arg(long, hide = true)]
    background: bool,
}

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    let (policy, _) = Policy::in_force(options.policy).map_err(|error| Failure::of_input(error.to_string()))?;
    let dir = if options.system { runtime::directory_of_system() } else { runtime::directory() };
    let dir = dir.map_err(Failure::of_input)?;
    let idle_exit =
        options.idle_exit.map(Duration::from_secs).or_else(|| options.background.then_some(vmmc_broker::IDLE_EXIT));
    let place = dir.display().to_string();
    if !options.background {
        complain(&format!("the broker serves {place}; Ctrl-C ends it"));
    }
    let seat = if options.system { Seat::System(dir) } else { Seat::Own(dir) };
    vmmc_broker::run(&vmmc_broker::Options { seat, policy, idle_exit })
        .map_err(|error| Failure::of_work(format!("{place}: {error}")))?;
    Ok(0)
}
