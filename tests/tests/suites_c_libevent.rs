//! libevent's own tests, with each of its ways to wait: every one ends as it does plainly.

use std::collections::BTreeMap;
use std::time::Duration;

use vmmc_tests::{Expect, Stage, built, compare_whole, ends};

/// How long they may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(600);

/// The groups that are about sockets. Left out: requests that are cancelled, for they wait a minute for names and silent servers.
const TESTS: &[&str] = &["main/..", "bufferevent/..", "listener/..", "et/..", "rpc/..", "http/..", ":http/cancel.."];

/// `group/name: [forking] OK`, or what else became of it, there or on the lines that follow.
fn end(line: &str) -> Option<(String, bool)> {
    let (name, end) = line.split_once(": ")?;
    let is_name = name.contains('/') && !name.contains([' ', '\t']);
    is_name.then(|| (name.to_owned(), ["OK", "SKIPPED", "DISABLED"].iter().any(|good| end.ends_with(good))))
}

/// Runs the tests named with what is left when libevent may not use these.
fn run(stage: &Stage, program: &str, names: &[&str], refused: &[&str]) -> BTreeMap<String, bool> {
    let names = if names.is_empty() { TESTS } else { names };
    let words: Vec<&str> = [program].iter().chain(names).copied().collect();
    let launch = refused.iter().fold(stage.server(&words), |launch, name| launch.env(name, "1"));
    let report = launch.limit(LIMIT).finish();
    let ends: BTreeMap<String, bool> = report.stdout.lines().filter_map(end).collect();
    assert!(names != TESTS || ends.len() > 150, "{} tests were run:\n{}{}", ends.len(), report.stdout, report.stderr);
    ends
}

fn suite(name: &str, refused: &[&str]) {
    // No library of its own is loaded, and none that encrypts is asked for.
    let options = ["-DEVENT__LIBRARY_TYPE=STATIC", "-DEVENT__DISABLE_OPENSSL=ON", "-DEVENT__DISABLE_BENCHMARK=ON"];
    let program = built("libevent", "regress", &options).join("bin/regress").to_string_lossy().into_owned();
    compare_whole(name, Expect::Anything, None, |stage| ends(|names| run(stage, &program, names, refused)));
}

#[test]
fn its_own_suite_by_epoll() {
    suite("libevent-epoll", &[]);
}

#[test]
fn its_own_suite_by_poll() {
    suite("libevent-poll", &["EVENT_NOEPOLL"]);
}

#[test]
fn its_own_suite_by_select() {
    suite("libevent-select", &["EVENT_NOEPOLL", "EVENT_NOPOLL"]);
}
