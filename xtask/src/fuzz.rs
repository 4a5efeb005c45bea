//! The gate that feeds whatever a peer, a client of the broker or a file can say to those who hear it.
//!
//! The targets are libFuzzer's, in `fuzz/`. What `cargo fuzz` needs a nightly compiler for is a sanitizer; the instrumentation that guides
//! the search is a pass of LLVM's that any compiler has. What was found worth keeping stands in `fuzz/corpus`; what a run finds
//! goes to `target/fuzz`, and an input that breaks something stays there with its name printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::command::{self, cargo};
use crate::tally::{Failure, Tally};

/// Seconds for each target; `VMMC_TEST_SECONDS` says otherwise.
const SECONDS: u64 = 10;
/// An input that takes longer, in seconds, is a hang; how much memory may be taken, in MiB; how long an input may be; what is told.
const OPTIONS: [&str; 4] = ["-timeout=60", "-rss_limit_mb=2048", "-max_len=8192", "-verbosity=0"];
const TARGET: &str = "x86_64-unknown-linux-gnu";
const BUILT: &str = "target/fuzz";
/// Coverage by counters and comparisons, and assertions on.
const RUSTFLAGS: &str = "--cfg fuzzing -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Runs every target for a while; each is one test.
pub(crate) fn run() -> Result<Tally> {
    let names = build()?;
    ensure!(!names.is_empty(), "fuzz/ has no targets");
    let seconds = std::env::var("VMMC_TEST_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let mut tally = Tally::default();
    for name in names {
        tally.add(search(&name, seconds)?);
    }
    Ok(tally)
}

/// Builds the targets: their names.
fn build() -> Result<Vec<String>> {
    let manifest = ["--manifest-path", "fuzz/Cargo.toml"];
    // The target is named, so that what runs while building is not instrumented.
    let place = ["--release", "--target", TARGET, "--target-dir", BUILT];
    command::must(cargo(&[&["build", "--quiet"], &manifest[..], &place].concat()).env("RUSTFLAGS", RUSTFLAGS))?;
    let metadata = [&["metadata", "--quiet", "--no-deps", "--format-version", "1"], &manifest[..]].concat();
    let metadata: Value = serde_json::from_str(&command::output(&mut cargo(&metadata))?)?;
    let targets = metadata["packages"][0]["targets"].as_array().into_iter().flatten();
    Ok(targets.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect())
}

/// One target.
fn search(name: &str, seconds: u64) -> Result<Tally> {
    let (found, kept) = (Path::new(BUILT).join("corpus").join(name), Path::new("fuzz/corpus").join(name));
    fs::create_dir_all(&found)?;
    let mut fuzz = Command::new(program(name));
    fuzz.current_dir(command::root()).arg(format!("-max_total_time={seconds}"));
    fuzz.arg(format!("-artifact_prefix={BUILT}/{name}-")).args(OPTIONS);
    // What is found is written to the first.
    fuzz.arg(found).args(Some(kept).filter(|kept| kept.is_dir()));
    let mut said = Failure::new(name);
    let ended = command::follow(&mut fuzz, Duration::from_secs(seconds + 600), |line| {
        said = std::mem::take(&mut said).saying(line)
    });
    Ok(match ended {
        Ok(status) if status.success() => Tally::one_passed(),
        Ok(status) => Tally::one_failed(said.saying(&status.to_string())),
        Err(error) => Tally::one_failed(said.saying(&format!("{error:#}"))),
    })
}

fn program(name: &str) -> PathBuf {
    command::root().join(BUILT).join(TARGET).join("release").join(name)
}
