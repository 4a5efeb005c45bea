//! The gates, in the order in which they run. Each says how many tests it ran, and running none is a failure.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::command::{self, cargo};
use crate::tally::{Failure, Listener, Tally, summary};
use crate::{fuzz, machine, suites, tidy, windows};

/// One gate.
struct Gate {
    name: &'static str,
    what: &'static str,
    run: fn() -> Result<Tally>,
}

/// Gates that run only when they are named: they need more of a machine than packages.
const NAMED_ONLY: &[&str] = &["windows32"];

const GATES: &[Gate] = &[
    Gate { name: "fmt", what: "rustfmt agrees", run: fmt },
    Gate { name: "clippy", what: "clippy has no warning", run: clippy },
    Gate { name: "tidy", what: "rooms, lengths, bans, arrows", run: tidy::run },
    Gate { name: "unit", what: "unit, property and conformance tests of every crate", run: unit },
    Gate { name: "loom", what: "model checking of ring, arming and switching", run: loom },
    Gate { name: "calls", what: "manifest of calls = glibc's symbols = the library's exports", run: calls },
    Gate {
        name: "exports",
        what: "wrappers of Windows DLLs, and our wsock32.dll against the real table",
        run: exports,
    },
    Gate { name: "behaviour", what: "small C programs, on both roads, against the kernel", run: behaviour },
    Gate { name: "oracle", what: "random programs of socket calls, on both roads, against the kernel", run: oracle },
    Gate {
        name: "programs",
        what: "redis, nginx, PostgreSQL … on both roads, killed and overloaded too",
        run: programs,
    },
    Gate { name: "faults", what: "kills, stops, limits, versions, containers, thousands of connections", run: faults },
    Gate { name: "sanitizers", what: "the C programs under ASan and TSan, with the library beneath", run: sanitizers },
    Gate { name: "fuzz", what: "whatever a peer, a client of the broker or a file can say", run: fuzz::run },
    Gate {
        name: "suites",
        what: "other people's test suites, and more of their programs, with and without us",
        run: others_suites,
    },
    Gate { name: "windows", what: "Windows programs under Wine, with and without wsock32.dll", run: windows_programs },
    Gate {
        name: "windows32",
        what: "small 32-bit Windows programs, in a 32-bit Debian of their own, for root (only when named)",
        run: windows_32_bit_programs,
    },
];

/// Crates whose tests belong to a gate of their own.
const CALLS: &[&str] = &["vmmc-calls", "vmmc-preload"];
const WHOLE: &str = "vmmc-tests";
const WINDOWS: &str = "vmmc-tests-windows";
const STUBGEN: &str = "vmmc-stubgen";
const ORACLE: &str = "vmmc-oracle";

/// A sanitizer, and the programs of `tests/apps` that are of use under it. (In `threads_wake` a descriptor is closed under another
/// thread on purpose.)
const SANITIZED: &[(&str, &[&str])] = &[
    ("address", &["echo_sizes", "scatter_gather", "peek", "receive_flags", "close_unread", "fork_share"]),
    ("thread", &["threads_one_socket", "epoll_threads", "both_ways", "two_sleepers"]),
];

/// Time after which a gate has hung, also on a slow machine; on a quiet one of two processors none takes ten minutes.
const GATE_LIMIT: Duration = Duration::from_secs(40 * 60);

/// Prints the gates.
pub(crate) fn list() {
    for gate in GATES {
        println!("{:<10} {}", gate.name, gate.what);
    }
}

/// Runs the gates named, all of them if none is; `true` if everything passed.
pub(crate) fn run(names: &[String]) -> Result<bool> {
    if let Some(unknown) = names.iter().find(|name| GATES.iter().all(|gate| gate.name != **name)) {
        bail!("there is no gate `{unknown}`; `cargo xtask test --list` shows them");
    }
    let chosen = |gate: &&Gate| {
        let named = names.iter().any(|name| name == gate.name);
        named || names.is_empty() && !NAMED_ONLY.contains(&gate.name)
    };
    if names.iter().any(|name| name != "tidy") || names.is_empty() {
        machine::setup(machine::Scope::Everything)?;
    }
    let mut results = Vec::new();
    for gate in GATES.iter().filter(chosen) {
        println!("\n==== {}: {}", gate.name, gate.what);
        let began = Instant::now();
        let tally = judge(gate);
        println!(
            "==== {}: {} passed, {} failed ({} s)",
            gate.name,
            tally.passed,
            tally.failed,
            began.elapsed().as_secs()
        );
        results.push((gate.name, tally));
    }
    Ok(summary(&results))
}

/// Runs one gate; one that breaks, or that ran nothing, has failed.
fn judge(gate: &Gate) -> Tally {
    match (gate.run)() {
        Ok(Tally { passed: 0, failed: 0, .. }) => broken(gate, "ran nothing, and a gate that runs nothing has failed"),
        Ok(tally) => tally,
        Err(error) => broken(gate, &format!("{error:#}")),
    }
}

fn broken(gate: &Gate, why: &str) -> Tally {
    println!("{}: {why}", gate.name);
    Tally::one_failed(Failure::new(gate.name).saying(why))
}

fn fmt() -> Result<Tally> {
    all_or_nothing(&["fmt", "--all", "--check"])
}

/// All of it for this system, and then what is built for Windows, whose parts it does not see.
fn clippy() -> Result<Tally> {
    let mut tally = all_or_nothing(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    machine::setup_windows()?;
    windows::lint(windows::Target::X86_64)?;
    tally.add(Tally::one_passed());
    Ok(tally)
}

/// Runs cargo; that is one test, which passes if it is content.
fn all_or_nothing(arguments: &[&str]) -> Result<Tally> {
    let tally = cargo_test(arguments, &[]);
    Ok(if tally.failed == 0 { Tally::one_passed() } else { tally })
}

fn unit() -> Result<Tally> {
    let excluded = CALLS.iter().chain([&WHOLE, &WINDOWS, &STUBGEN, &ORACLE]).flat_map(|name| ["--exclude", name]);
    let arguments: Vec<&str> =
        ["test", "--quiet", "--no-fail-fast", "--workspace"].into_iter().chain(excluded).collect();
    Ok(cargo_test(&arguments, &[]))
}

/// Every test target called `loom`, compiled for the model checker in a directory of its own.
fn loom() -> Result<Tally> {
    let mut tally = Tally::default();
    for (package, _) in test_targets()?.iter().filter(|(_, target)| target == "loom") {
        let arguments =
            ["test", "--quiet", "--release", "--target-dir", "target/loom", "-p", package, "--test", "loom"];
        // Two preemptions find what these models are known to find when broken, in minutes; without a bound they take hours.
        tally.add(cargo_test(&arguments, &[("RUSTFLAGS", "--cfg loom"), ("LOOM_MAX_PREEMPTIONS", "2")]));
    }
    Ok(tally)
}

fn calls() -> Result<Tally> {
    build_release()?;
    let packages = CALLS.iter().flat_map(|name| ["-p", name]);
    let arguments: Vec<&str> = ["test", "--quiet", "--no-fail-fast", "--release"].into_iter().chain(packages).collect();
    Ok(cargo_test(&arguments, &[]))
}

/// The generator's own tests, and then the exports of what is built with it, ordinal by ordinal.
fn exports() -> Result<Tally> {
    machine::setup_windows()?;
    let mut tally = cargo_test(&["test", "--quiet", "--no-fail-fast", "-p", STUBGEN], &[]);
    let table = "crates/interpose/stubgen/data/wsock32-exports.csv";
    let wishes = ["--library", "wsock32.dll", "--wishes", "crates/interpose/wsock32/intercept.toml"];
    for target in [windows::Target::X86_64, windows::Target::I686] {
        let built = windows::build(target)?;
        for dll in built.iter().filter_map(|file| file.to_str()).filter(|file| file.ends_with(".dll")) {
            let check = ["run", "--quiet", "-p", STUBGEN, "--", "check", table, dll];
            tally.add(all_or_nothing(&[&check[..], &wishes].concat())?);
        }
    }
    Ok(tally)
}

fn behaviour() -> Result<Tally> {
    whole(|target| target.starts_with("behaviour"))
}

/// The programs that once failed, and a fixed number of random ones: about three minutes.
fn oracle() -> Result<Tally> {
    build_release()?;
    Ok(cargo_test(&["test", "--no-fail-fast", "-p", ORACLE], &[]))
}

fn programs() -> Result<Tally> {
    whole(|target| !is_fault(target) && !target.starts_with("behaviour") && !target.starts_with("suites"))
}

fn faults() -> Result<Tally> {
    whole(is_fault)
}

fn is_fault(target: &str) -> bool {
    ["containers", "faults", "scale"].iter().any(|beginning| target.starts_with(beginning))
}

/// Programs that use threads and memory in many ways, built for each sanitizer, do under `vmmc run` what they do plainly.
fn sanitizers() -> Result<Tally> {
    build_release()?;
    let mut tally = Tally::default();
    for (sanitizer, programs) in SANITIZED {
        let arguments = ["test", "-p", WHOLE, "--test", "behaviour", "--", "--exact"];
        let suppressions = command::root().join("tests/thread-sanitizer.supp");
        let options = format!("suppressions={}", suppressions.display());
        let environment = [("VMMC_TEST_SANITIZER", *sanitizer), ("TSAN_OPTIONS", &options)];
        tally.add(cargo_test(&[&arguments[..], programs].concat(), &environment));
    }
    Ok(tally)
}

fn others_suites() -> Result<Tally> {
    machine::setup(machine::Scope::Suites)?;
    suites::fetch()?;
    whole(|target| target.starts_with("suites"))
}

/// What Windows programs do under Wine, beside a `wsock32.dll` that is built for them.
fn windows_programs() -> Result<Tally> {
    machine::setup_windows()?;
    build_release()?;
    windows::build(windows::Target::X86_64)?;
    windows::build_test(windows::Target::X86_64, "vmmc-broker", "both_systems")?;
    let tally = cargo_test(&["test", "--no-fail-fast", "-p", WINDOWS], &[]);
    windows::end_leftovers();
    Ok(tally)
}

/// The same for the 32-bit DLL, as far as small programs go: Debian's 32-bit Wine needs a Debian of its own.
fn windows_32_bit_programs() -> Result<Tally> {
    machine::setup_windows()?;
    machine::setup_debootstrap()?;
    windows::build(windows::Target::I686)?;
    windows::try_i686()?;
    Ok(Tally::one_passed())
}

/// Tests of the whole: the release library and command, and test targets chosen by name, one at a time.
fn whole(chosen: fn(&str) -> bool) -> Result<Tally> {
    build_release()?;
    let targets: BTreeSet<String> =
        test_targets()?.into_iter().filter(|(p, target)| p == WHOLE && chosen(target)).map(|(_, t)| t).collect();
    ensure!(!targets.is_empty(), "no test target has been found");
    let named = targets.iter().flat_map(|target| ["--test", target]);
    let arguments: Vec<&str> = ["test", "--no-fail-fast", "-p", WHOLE].into_iter().chain(named).collect();
    Ok(cargo_test(&arguments, &[]))
}

/// The library and the command as they are meant to be used.
pub(crate) fn build_release() -> Result<()> {
    command::must(&mut cargo(&["build", "--quiet", "--release", "-p", "vmmc-cli", "-p", "vmmc-preload"]))
}

/// Runs `cargo test` and adds up what its test programs report.
fn cargo_test(arguments: &[&str], environment: &[(&str, &str)]) -> Tally {
    let mut listener = Listener::default();
    let mut command = cargo(arguments);
    // A failure shows where it happened; the calls that led there would crowd out what it says.
    command.env("RUST_BACKTRACE", "0").envs(environment.iter().copied());
    let ended = command::follow(&mut command, GATE_LIMIT, |line| listener.hear(line));
    listener.conclude(ended)
}

/// Every (package, test target) of the workspace.
fn test_targets() -> Result<Vec<(String, String)>> {
    let metadata = metadata()?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            if target["kind"][0] == "test" {
                let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
                found.push((name(package), name(target)));
            }
        }
    }
    Ok(found)
}

/// What cargo says about the workspace.
pub(crate) fn metadata() -> Result<Value> {
    let text = command::output(&mut cargo(&["metadata", "--quiet", "--no-deps", "--format-version", "1"]))?;
    Ok(serde_json::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_that_runs_nothing_has_failed() {
        let gate = Gate { name: "empty", what: "", run: || Ok(Tally::default()) };
        assert_eq!(judge(&gate).failed, 1);
    }
}
