//! memcached's own tests, against the memcached that is installed: every file of tests ends as it does plainly.

use std::fs;
use std::time::Duration;

use vmmc_tests::{Expect, Stage, compare_whole, source};

/// How long they may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(1200);

/// Tests that are left out, and why.
const EXCLUDED: &[(&str, &str)] = &[
    ("00-startup.t", "starts a server with every option; few are about sockets"),
    ("64bit.t", "asks for more memory than a small machine has"),
    ("binary.t", "a minute of one connection and one answer after another"),
    ("chunked-items.t", "minutes of one connection's items"),
    ("chunked-extstore.t", "minutes of a file on disk"),
    ("error-extstore.t", "minutes of a file on disk"),
    ("extstore.t", "minutes of a file on disk"),
    ("extstore-buckets.t", "minutes of a file on disk"),
    ("extstore-jbod.t", "minutes of a file on disk"),
    ("binary-extstore.t", "minutes of a file on disk"),
    ("slabs-reassign2.t", "minutes without a socket's doing"),
    ("slabs-reassign-chunked.t", "minutes without a socket's doing"),
    ("issue_67.t", "asks for every combination of ports, some of which others have"),
    ("proxy.t", "needs a memcached built with its proxy"),
];

/// The suite's directory, beside what its build would have made.
fn prepare(stage: &Stage) -> Vec<String> {
    let source = source("memcached");
    let source = source.to_string_lossy();
    let own = stage.path("suite");
    let _ = stage.plain(&["cp", "-r", &source, &own.to_string_lossy()]).run();
    let _ = stage.plain(&["gcc", "-o", "suite/timedrun", "suite/timedrun.c"]).run();
    let memcached = vmmc_tests::find("memcached");
    std::os::unix::fs::symlink(memcached, own.join("memcached-debug")).expect("a link");
    // Debian builds without what this suboption belongs to.
    let module = own.join("t/lib/MemcachedTest.pm");
    let text = fs::read_to_string(&module).expect("the suite's module");
    fs::write(module, text.replace("$args .= \" -o relaxed_privileges\";", "")).expect("the suite's module");
    let mut tests: Vec<String> = fs::read_dir(own.join("t"))
        .expect("tests")
        .flatten()
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| name.ends_with(".t") && EXCLUDED.iter().all(|(excluded, _)| name != excluded))
        .map(|name| format!("t/{name}"))
        .collect();
    tests.sort();
    assert!(tests.len() > 30, "only {} tests of memcached's are left", tests.len());
    tests
}

#[test]
fn its_own_suite() {
    compare_whole("memcached-suite", Expect::BothWays, None, |stage| {
        let tests = prepare(stage);
        let words = ["prove", "-j", "4", "-I", "t/lib", "--nocolor"].into_iter();
        let words: Vec<&str> = words.chain(tests.iter().map(String::as_str)).collect();
        let report = stage.server(&words).directory(&stage.path("suite")).limit(LIMIT).finish();
        // `t/name.t ...... ok`, or what else became of it.
        let mut ends: Vec<String> = report
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("t/")?.split_once(' '))
            .map(|(name, end)| format!("{name} {}", end.trim_start_matches(['.', ' '])))
            .collect();
        ends.sort();
        assert!(ends.len() >= tests.len(), "{}\n{}", report.stdout, report.stderr);
        ends.join("\n")
    });
}
