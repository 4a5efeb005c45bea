//! libuv's own tests, beneath which node stands too: every one ends as it does plainly.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vmmc_tests::{Expect, Stage, built, compare_whole, ends, source};

/// How long they may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(1200);

const PROGRAM: &str = "uv_run_tests_a";

/// How they end is for the network to say: they connect to an address beyond this machine, and fail plainly, too, now and then.
const OUTSIDE: &[&str] = &["tcp_close_while_connecting", "tcp_connect_timeout"];

/// `ok 12 - what`, or `not ok 12 - what`.
fn end(line: &str) -> Option<(String, bool)> {
    let (good, rest) = line.strip_prefix("not ").map_or((true, line), |rest| (false, rest));
    let (_, name) = rest.strip_prefix("ok ")?.split_once(" - ")?;
    Some((name.to_owned(), good))
}

fn run(stage: &Stage, names: &[&str]) -> BTreeMap<String, bool> {
    let program = stage.path(PROGRAM).to_string_lossy().into_owned();
    let words: Vec<&str> = [program.as_str()].iter().chain(names).copied().collect();
    let report = stage.server(&words).directory(&stage.path("suite")).limit(LIMIT).finish();
    let ends: BTreeMap<String, bool> =
        report.stdout.lines().filter_map(end).filter(|(name, _)| !OUTSIDE.contains(&name.as_str())).collect();
    assert!(!names.is_empty() || ends.len() > 300, "{} tests were run:\n{}", ends.len(), report.stderr);
    ends
}

/// Puts the program, and what it looks for in the directory where it runs, where every user may read it.
fn prepare(stage: &Stage) {
    let program = built("libuv", PROGRAM, &["-DBUILD_TESTING=ON"]).join(PROGRAM);
    let _ = stage.plain(&["mkdir", "-p", "suite/test"]).run();
    let copy = |from: &Path, to: &str| {
        let done = Command::new("cp").arg("-r").arg(from).arg(stage.path(to)).status();
        assert!(done.is_ok_and(|status| status.success()), "{} could not be copied", from.display());
    };
    copy(&program, PROGRAM);
    copy(&source("libuv/test/fixtures"), "suite/test");
}

/// Not as root, who may do what some tests must not.
#[test]
fn its_own_suite() {
    compare_whole("libuv-suite", Expect::Anything, Some("nobody"), |stage| {
        prepare(stage);
        ends(|names| run(stage, names))
    });
}
