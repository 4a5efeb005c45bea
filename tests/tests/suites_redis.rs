//! Redis's own tests, against the Redis that is installed: blocking commands, pipelines, replication, clusters.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use vmmc_tests::{Expect, Stage, compare_whole, find, net, source};

/// How long they may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(1500);

/// Those that are about connections, and do not take long. The others: see [`WITHOUT`].
const UNITS: &[&str] = &[
    "unit/protocol",
    "unit/auth",
    "unit/quit",
    "unit/info",
    "unit/info-command",
    "unit/multi",
    "unit/pubsub",
    "unit/pubsubshard",
    "unit/introspection-2",
    "unit/pause",
    "unit/wait",
    "unit/tracking",
    "unit/shutdown",
    "unit/replybufsize",
    "unit/violations",
    "unit/cluster/links",
    "integration/redis-cli",
    "integration/redis-benchmark",
    "integration/failover",
    "integration/replication-2",
];

/// More of them, for an hour that is free: `cargo test -p vmmc-tests --test suites_redis -- --ignored`.
const MORE: &[&str] = &[
    "unit/latency-monitor",
    "unit/type/stream",
    "unit/type/list",
    "unit/acl",
    "unit/dump",
    "unit/expire",
    "unit/functions",
    "unit/introspection",
    "unit/keyspace",
    "unit/networking",
    "unit/obuf-limits",
    "unit/other",
    "unit/pendingquerybuf",
    "unit/scan",
    "unit/scripting",
    "unit/slowlog",
    "unit/sort",
    "unit/type/hash",
    "unit/type/string",
    "unit/bitops",
    "unit/cluster/misc",
    "integration/aof",
    "integration/block-repl",
    "integration/logging",
    "integration/psync2",
    "integration/psync2-reg",
    "integration/replication",
    "integration/replication-3",
    "integration/replication-4",
    "integration/replication-buffer",
    "integration/replication-psync",
];

/// Tests that are left out of these by name, and why.
const WITHOUT: &[(&str, &str)] = &[
    (
        "/client evicted",
        "how much of a large request the server has read when it looks is the kernel's buffers' to say, which VMMC's are not",
    ),
    (
        "/PUBLISH/[PS]?SUBSCRIBE after P?UNSUBSCRIBE without arguments",
        "sends on one connection and then on another, and takes for granted that both are read in that order",
    ),
];

/// The suite's directory, with the programs where its build would have put them.
fn prepare(stage: &Stage) -> String {
    let source = source("redis");
    let own = stage.path("suite");
    let _ = stage.plain(&["cp", "-r", &source.to_string_lossy(), &own.to_string_lossy()]).run();
    let server = find("redis-server");
    for name in ["redis-server", "redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb", "redis-sentinel"]
    {
        symlink(server.with_file_name(name), own.join("src").join(name)).expect("a link");
    }
    // Two fake nodes of a test get 2.5 s to start, and live for 5: too little on a machine that does other things as well.
    patient(&own.join("tests/integration/redis-cli.tcl"), "wait_for_condition 50 50 {", "wait_for_condition 600 50 {");
    patient(&own.join("tests/helpers/fake_redis_node.tcl"), "after 5000 ", "after 30000 ");
    own.to_string_lossy().into_owned()
}

/// Gives a file of the suite more time.
fn patient(file: &Path, before: &str, after: &str) {
    let text = fs::read_to_string(file).expect("a file of the suite");
    assert!(text.contains(before), "{} knows no `{before}`", file.display());
    fs::write(file, text.replace(before, after)).expect("a file of the suite");
}

/// What Tcl writes in colours, without them.
fn uncoloured(report: &str) -> String {
    let mut parts = report.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

/// `[ok]: what (12 ms)`: each test and how it ended, without the time, in the order of the alphabet.
fn ends(report: &str) -> String {
    let ends: BTreeSet<String> = uncoloured(report)
        .lines()
        .filter(|line| ["[ok]", "[err]", "[exception]", "[ignore]", "[skip]"].iter().any(|end| line.starts_with(end)))
        .map(|line| line.rsplit_once(" (").map_or(line, |(what, _)| what).to_owned())
        .collect();
    ends.into_iter().collect::<Vec<_>>().join("\n")
}

fn suite(stage: &Stage, units: &[&str]) -> String {
    let own = prepare(stage);
    // With its cluster ports, which are higher by 10,000, it stays below those that the kernel gives to connections.
    let port = (10_000 + net::free_port() % 10_000).to_string();
    let mut words =
        vec!["tclsh", "tests/test_helper.tcl", "--clients", "4", "--portcount", "2000", "--baseport", &port];
    words.extend(WITHOUT.iter().flat_map(|(test, _)| ["--skiptest", test]));
    words.extend(units.iter().flat_map(|unit| ["--single", unit]));
    let report = stage.server(&words).directory(Path::new(&own)).limit(LIMIT).finish();
    assert!(report.status.success(), "{}\n{}", report.stdout, report.stderr);
    ends(&report.stdout)
}

#[test]
fn its_own_suite() {
    compare_whole("redis-suite", Expect::BothWays, None, |stage| suite(stage, UNITS));
}

#[test]
#[ignore = "takes minutes"]
fn more_of_its_own_suite() {
    compare_whole("redis-more", Expect::BothWays, None, |stage| suite(stage, MORE));
}
