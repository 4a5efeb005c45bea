//! Ruby's own tests of its sockets, its HTTP and TLS, and DRb: every test ends as it does plainly.

use std::time::Duration;

use vmmc_tests::{Expect, compare_whole, source};

/// How long they may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(600);

/// Left out: it connects beyond the machine.
const WITHOUT: &str = "!/test_initialize_connect_timeout/";

/// Tests of Ruby's there must be, at least.
const TESTS_MIN: usize = 500;

#[test]
fn its_own_suite() {
    let source = source("ruby");
    compare_whole("ruby-suite", Expect::OneWay, None, |stage| {
        let words = ["ruby3.1", "test/runner.rb", "-v", "-n", WITHOUT];
        let tests = ["test/socket", "test/net", "test/drb", "test/open-uri"];
        let openssl = ["test/openssl/test_ssl.rb", "test/openssl/test_ssl_session.rb"];
        let report = stage.server(&[&words[..], &tests, &openssl].concat()).directory(&source).limit(LIMIT).finish();
        let said = format!("{}\n{}", report.stdout, report.stderr);
        // `[12/345] Class#test = 0.01 s`, and below all of them `  1) Failure:` and its name.
        let begun =
            said.lines().filter_map(|line| line.split_once("] ")?.1.split_once(" = ")).map(|(name, _)| name.to_owned());
        let begun: Vec<String> = begun.collect();
        assert!(begun.len() >= TESTS_MIN, "only {} tests have run:\n{said}", begun.len());
        let numbered =
            |line: &str| line.trim_start().split_once(") ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        let lines: Vec<&str> = said.lines().collect();
        let others = lines.windows(2).filter_map(|pair| match pair {
            [first, second] if numbered(first) => {
                let kind = first.trim_start_matches(|letter: char| !letter.is_alphabetic());
                Some(format!("{kind} {}", second.split(' ').next().unwrap_or_default()))
            }
            _ => None,
        });
        let mut ends: Vec<String> = begun.iter().cloned().chain(others).collect();
        ends.sort();
        ends.join("\n")
    });
}
