//! Tcl's own tests of its sockets and of its HTTP client: every test ends as it does plainly.

use std::time::Duration;

use vmmc_tests::{Expect, compare_whole, source};

/// How long one file may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(300);

/// Tests there must be, at least.
const TESTS_MIN: usize = 150;

#[test]
fn its_own_suite() {
    let tests = source("tcl").join("tests");
    compare_whole("tcl-suite", Expect::OneWay, None, |stage| {
        let directory = stage.directory().to_string_lossy().into_owned();
        let mut ends = String::new();
        for file in ["socket.test", "http.test"] {
            let words = ["tclsh", file, "-tmpdir", &directory, "-verbose", "bps"];
            let report = stage.server(&words).directory(&tests).limit(LIMIT).finish();
            // `++++ name PASSED`, `==== name FAILED`, `++++ name SKIPPED: why`.
            let begins = |line: &&str| line.starts_with("++++ ") || line.starts_with("==== ");
            report.stdout.lines().filter(begins).for_each(|line| ends += &format!("{line}\n"));
        }
        assert!(ends.lines().count() >= TESTS_MIN, "only these tests have run:\n{ends}");
        ends
    });
}
