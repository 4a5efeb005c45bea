//! `vmmc status`: who runs under vmmc, which road every direction of every connection is on, and why.

pub(crate) mod model;
pub(crate) mod read;
mod show;

use crate::failure::Failure;
use crate::system::tables;
use model::Report;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// Puts the cursor in the corner and clears the terminal.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// Show who runs under vmmc, and which road each connection is on
#[derive(Debug, clap::Args)]
#[command(long_about = "\
Show who runs under vmmc, and which road each connection is on.

Each connection has two directions: `out` is what this program sends, `in` is what it receives. A direction is on the \
road `vmmc` (memory) or `kernel` (TCP as ever); in the latter case the last column says why, and the lines below the \
table say what that means and what to do. A direction starts on the kernel road and moves once both ends have been \
seen to use it.

  bytes, calls   what moved on each road, and in how many calls
  moves          times that the direction changed roads
  bells          doorbells: bytes sent over the kernel to wake a sleeper
  sleeps         calls that slept in the kernel for this direction

Only your own processes are shown; root sees everybody's.")]
#[command(after_help = "\
Examples:
  vmmc status
  vmmc status --watch
  vmmc status --json | jq '.families[].sockets[] | select(.outgoing.road == \"kernel\")'

JSON: { schema: 1, families: [{ processes: [{ pid, command }], profile: safe|latency|unknown, \
broker: not-asked|connected|absent|unknown, rescues, sockets: [{ descriptor, opened_by, \
kind: unconnected|listening|connection|other, local, remote, paired, outgoing, incoming }], damaged }], \
reasons: [{ code, sentence, advice, final }], unreadable: [{ pid, why }] }. \
`outgoing` and `incoming` are null unless the kind is connection, else { road: vmmc|kernel|unknown, reason, \
kernel_bytes, kernel_messages, vmmc_bytes, vmmc_messages, switches, doorbells, sleeps }; `reason` is a code, null on \
the road vmmc. Addresses are ADDRESS:PORT or null. A family is the processes that share one table by forking. \
`rescues` counts waiting calls that had to be woken without a doorbell (0 unless something is \
wrong), `damaged` records that made no sense. Fields may be added; none changes its meaning while schema is 1. \
With --watch, one document a line.")]
pub(crate) struct Options {
    /// Print one JSON document, described below
    #[arg(long)]
    json: bool,
    /// Show it again and again, every so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = seconds())]
    watch: Option<u32>,
    /// Show only this process (and those that share its sockets by forking)
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
}

fn seconds() -> impl clap::builder::TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..=3600)
}

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    print(&options)?;
    while let Some(seconds) = options.watch {
        std::thread::sleep(Duration::from_secs(seconds.into()));
        print(&options)?;
    }
    Ok(0)
}

fn print(options: &Options) -> Result<(), Failure> {
    let report = look(options.pid)?;
    let mut out = std::io::stdout().lock();
    if options.json {
        let document = if options.watch.is_some() {
            serde_json::to_string(&report)
        } else {
            serde_json::to_string_pretty(&report)
        };
        writeln!(out, "{}", document.map_err(std::io::Error::from)?)?;
    } else {
        if options.watch.is_some() && out.is_terminal() {
            write!(out, "{CLEAR}")?;
        }
        write!(out, "{}", show::text(&report))?;
    }
    out.flush().map_err(Failure::from)
}

/// What is there to see, of one process or of all.
fn look(pid: Option<i32>) -> Result<Report, Failure> {
    let report = tables::all().map_err(Failure::of_work)?;
    let Some(pid) = pid else { return Ok(report) };
    let report = report.only(pid);
    if report.families.is_empty() {
        let why = match report.unreadable.first() {
            Some(unreadable) => unreadable.why.clone(),
            None if vmmc_os::process::exists(pid.unsigned_abs()) => "it does not run under vmmc".to_owned(),
            None => "there is no such process".to_owned(),
        };
        return Err(Failure::of_work(format!("process {pid}: {why}")));
    }
    Ok(report)
}
