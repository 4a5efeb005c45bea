//! Style as a test: the rules of CONTRIBUTING.md that a machine can check.
//!
//! Every rule is a function from the workspace to complaints; a complaint names a place and what to do instead.

mod arrows;
mod names;
mod shape;
mod source;

use std::path::Path;

use anyhow::{Result, ensure};

use crate::command;
use crate::gates;
use crate::tally::{Failure, Tally};
use source::Source;

/// One thing that is not as it should be.
pub(crate) struct Complaint {
    pub(crate) file: String,
    /// From 1; 0 where the whole file is meant.
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// A rule about one source file.
type Rule = fn(&Source) -> Vec<Complaint>;

const RULES: &[(&str, Rule)] = &[
    ("a file has at most 500 lines", shape::file_length),
    ("a function has at most 70 lines", shape::function_length),
    ("a line has at most 140 columns", shape::line_length),
    ("a crate's first file says what the crate is", shape::opening),
    ("what differs between systems stands in base/os", names::systems),
    ("unsafe stands in its rooms", names::unsafe_rooms),
    ("the guest's process is not called, printed to or killed", names::banned),
];

/// Runs every rule; each is one test.
pub(crate) fn run() -> Result<Tally> {
    let sources = source::all(&command::root())?;
    ensure!(sources.len() > 20, "only {} source files were found", sources.len());
    let mut tally = Tally::default();
    for (name, rule) in RULES {
        report(&mut tally, name, sources.iter().flat_map(rule).collect());
    }
    report(&mut tally, "dependencies point downwards only", arrows::check(&gates::metadata()?));
    println!("tidy: looked at {} files", sources.len());
    Ok(tally)
}

/// Counts one rule and prints its complaints.
fn report(tally: &mut Tally, name: &str, complaints: Vec<Complaint>) {
    println!("tidy: {name}: {}", if complaints.is_empty() { "ok" } else { "FAILED" });
    if complaints.is_empty() {
        tally.passed += 1;
        return;
    }
    let said: String =
        complaints.iter().map(|Complaint { file, line, message }| format!("  {file}:{line}: {message}\n")).collect();
    print!("{said}");
    tally.add(Tally::one_failed(Failure::new(format!("tidy: {name}")).saying(&said)));
}

/// The path as it is printed and listed in rules: from the root, with forward slashes.
fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}
