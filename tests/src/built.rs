//! Other people's test programs, built from the sources in `target/suites`, and how their tests end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Two builds in one directory spoil each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Tests that fail are asked again until so many plays: they wait for a fixed time, which a busy machine may need for something else.
const PLAYS_MAX: u32 = 3;

/// Where a suite's source is.
#[must_use]
pub fn source(suite: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/suites").join(suite)
}

/// Builds a target of a suite with CMake; returns the directory of what was built. Quick if it has been built.
///
/// # Panics
///
/// If the source is not there, or it cannot be built.
#[must_use]
pub fn built(suite: &str, target: &str, options: &[&str]) -> PathBuf {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let into = source(&format!("{suite}-built"));
    let run = |command: &mut Command| {
        let output = command.output().expect("cmake runs");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{suite} cannot be built:\n{}", String::from_utf8_lossy(&said));
    };
    run(Command::new("cmake").arg("-S").arg(source(suite)).arg("-B").arg(&into).args(options));
    run(Command::new("cmake").arg("--build").arg(&into).args(["--parallel", "2", "--target", target]));
    into
}

/// How each test of a suite ended, a line each. `run` runs the tests named, or all of them if none is, and says which ended well.
pub fn ends(run: impl Fn(&[&str]) -> BTreeMap<String, bool>) -> String {
    let mut ends = run(&[]);
    for _ in 1..PLAYS_MAX {
        let failed: Vec<String> = ends.iter().filter(|(_, good)| !**good).map(|(name, _)| name.clone()).collect();
        failed.iter().for_each(|name| ends.extend(run(&[name])));
    }
    let line = |(name, good): (&String, &bool)| format!("{name}: {}\n", if *good { "well" } else { "badly" });
    ends.iter().map(line).collect()
}
