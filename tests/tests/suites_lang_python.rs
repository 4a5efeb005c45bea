//! Twisted's own tests of its connections, with every way to wait that it has, and Tornado's; Debian's packages have them.

use std::time::Duration;

use vmmc_tests::{Expect, Stage, compare_whole};

/// How long they may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(600);

/// The lines that say how a test ended, `name ... ok`, in the order of their names.
fn outcomes(stage: &Stage, words: &[&str], tests_min: usize) -> String {
    let report = stage.server(words).limit(LIMIT).finish();
    let said = format!("{}\n{}", report.stdout, report.stderr);
    let mut ends: Vec<&str> = said.lines().filter(|line| line.contains(" ... ")).collect();
    ends.sort_unstable();
    assert!(ends.len() >= tests_min, "only {} tests have run:\n{said}", ends.len());
    ends.join("\n")
}

#[test]
fn twisted() {
    let words = ["/usr/bin/python3", "-m", "twisted.trial", "--reporter=bwverbose"];
    let modules = [
        "twisted.test.test_tcp",
        "twisted.internet.test.test_tcp",
        "twisted.spread.test.test_pb",
        "twisted.test.test_ftp",
    ];
    compare_whole("twisted", Expect::OneWay, None, |stage| outcomes(stage, &[&words[..], &modules].concat(), 800));
}

#[test]
fn tornado() {
    let modules = [
        "tornado.test.iostream_test",
        "tornado.test.tcpserver_test",
        "tornado.test.httpserver_test",
        "tornado.test.simple_httpclient_test",
        "tornado.test.websocket_test",
        "tornado.test.ioloop_test",
    ];
    let words = ["/usr/bin/python3", "-m", "tornado.test", "--verbose=yes"];
    compare_whole("tornado", Expect::OneWay, None, |stage| outcomes(stage, &[&words[..], &modules].concat(), 300));
}
