//! `vmmc doctor`: what works on this machine, what does not, why, and what to do.

pub(crate) mod check;

use crate::failure::Failure;
use crate::system::checks::{CHECKS, of_program};
use crate::text::{one_line, plural};
use check::{Check, Verdict};
use std::ffi::OsString;
use std::io::Write as _;

/// The version of the JSON document: raised when a field changes its meaning.
const SCHEMA: u32 = 1;

/// Examine this machine: what works, what does not, why, and what to do
#[derive(Debug, clap::Args)]
#[command(long_about = "\
Examine this machine: what works, what does not, why, and what to do.

The last check is a trial: two plain socket programs are run under `vmmc run` and exchange messages until the status \
shows both directions of their connection on VMMC. A broker is started if none runs; it ends by itself when nobody \
needs it. With a PROGRAM, that is looked at too, and not started.")]
#[command(after_help = "\
Exit status: 0 if nothing failed (warnings are allowed), else 1.

JSON: { schema: 1, healthy, checks: [{ name, verdict: ok|warn|fail, found, advice }] }; `advice` is null if all is well.")]
pub(crate) struct Options {
    /// Print one JSON document, described below
    #[arg(long)]
    json: bool,
    /// Look at this program too: what keeps its connections from being accelerated?
    #[arg(value_name = "PROGRAM")]
    program: Option<OsString>,
}

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    let mut out = std::io::stdout().lock();
    let mut checks = Vec::new();
    let of_program = options.program.iter().flat_map(|program| of_program(program));
    for check in CHECKS.iter().map(|examine| examine()).chain(of_program) {
        if !options.json {
            write_check(&mut out, &check)?;
        }
        checks.push(check);
    }
    let healthy = checks.iter().all(|check| check.verdict != Verdict::Fail);
    if options.json {
        let document = serde_json::json!({ "schema": SCHEMA, "healthy": healthy, "checks": checks });
        writeln!(out, "{document:#}")?;
    } else {
        writeln!(out, "\n{}", conclusion(&checks))?;
    }
    Ok(u8::from(!healthy))
}

fn write_check(out: &mut impl std::io::Write, check: &Check) -> std::io::Result<()> {
    writeln!(out, "{:>4}  {}: {}", check.verdict.word(), check.name, one_line(&check.found))?;
    if let Some(advice) = &check.advice {
        writeln!(out, "      What to do: {}", one_line(advice))?;
    }
    out.flush()
}

fn conclusion(checks: &[Check]) -> String {
    let number = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    match (number(Verdict::Fail), number(Verdict::Warn)) {
        (0, 0) => "All is well: `vmmc run -- COMMAND` accelerates connections on this machine.".to_owned(),
        (0, warnings) => format!("It works, with {}.", plural(warnings, "warning")),
        (failures, _) => {
            format!("{} failed. Programs run all the same under vmmc, but not accelerated.", plural(failures, "check"))
        }
    }
}
