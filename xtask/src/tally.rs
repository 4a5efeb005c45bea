//! What gates found: counts, and the last words of what failed.
//!
//! A log is often read from its end, or only its end is left. So the last words stand once more behind everything else.

use std::collections::VecDeque;
use std::process::ExitStatus;

use anyhow::Result;

/// Lines kept of a failed test's output: from its beginning, and from its end.
const FIRST_LINES: usize = 20;
const LAST_LINES: usize = 40;

/// How many tests came out how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// What failed, and what it said last; not necessarily as many as have failed.
    pub(crate) failures: Vec<Failure>,
}

impl Tally {
    /// One test that passed.
    pub(crate) fn one_passed() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    /// One test that failed.
    pub(crate) fn one_failed(failure: Failure) -> Self {
        Self { passed: 0, failed: 1, failures: vec![failure] }
    }

    /// Takes in what another one counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
    }
}

/// Something that failed, with the beginning and the end of what it said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    name: String,
    first: Vec<String>,
    left_out: usize,
    last: VecDeque<String>,
}

impl Failure {
    /// One of this name that has said nothing yet.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The same, having said this text too.
    pub(crate) fn saying(mut self, text: &str) -> Self {
        text.lines().for_each(|line| self.say(line));
        self
    }

    fn say(&mut self, line: &str) {
        if self.first.len() < FIRST_LINES {
            self.first.push(line.to_owned());
            return;
        }
        self.last.push_back(line.to_owned());
        if self.last.len() > LAST_LINES {
            self.last.pop_front();
            self.left_out += 1;
        }
    }

    fn print(&self) {
        println!("\n---- {}", self.name);
        self.first.iter().for_each(|line| println!("{line}"));
        if self.left_out > 0 {
            println!("[{} lines left out]", self.left_out);
        }
        self.last.iter().for_each(|line| println!("{line}"));
    }
}

/// Reads what `cargo test` prints.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    tally: Tally,
    /// The lines belong to the last failure: we are between its heading and the next list.
    inside: bool,
    all: Failure,
}

impl Listener {
    /// Takes one line.
    pub(crate) fn hear(&mut self, line: &str) {
        self.all.say(line);
        if let Some((passed, failed)) = parse_result(line) {
            self.tally.passed += passed;
            self.tally.failed += failed;
            self.inside = false;
        } else if line == "failures:" {
            self.inside = false;
        } else if let Some(name) = parse_heading(line) {
            self.tally.failures.push(Failure::new(name));
            self.inside = true;
        } else if let (true, Some(failure)) = (self.inside, self.tally.failures.last_mut()) {
            failure.say(line);
        }
    }

    /// What was heard, once the command has ended so. A failure that no test owned up to is one too.
    pub(crate) fn conclude(mut self, ended: Result<ExitStatus>) -> Tally {
        let why = match ended {
            Ok(status) if status.success() => return self.tally,
            Ok(_) if self.tally.failed > 0 => return self.tally,
            Ok(status) => status.to_string(),
            Err(error) => format!("{error:#}"),
        };
        println!("{why}");
        self.tally.failed += 1;
        self.all.name = why;
        self.tally.failures.push(self.all);
        self.tally
    }
}

/// Reads `test result: ok. 3 passed; 0 failed; …`: passed and failed.
fn parse_result(line: &str) -> Option<(u64, u64)> {
    let (_, counts) = line.split_once("test result: ")?.1.split_once(". ")?;
    let number = |word: &str| counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse().ok());
    Some((number(" passed")?, number(" failed")?))
}

/// Reads `---- a_test stdout ----`, or the heading of a documentation test.
fn parse_heading(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// Prints the table, the last words of what failed, and the total; `true` if everything passed.
pub(crate) fn summary(results: &[(&str, Tally)]) -> bool {
    println!();
    let mut total = Tally::default();
    for (name, tally) in results {
        let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
        println!("{name:<10} {:>5} passed {:>5} failed   {verdict}", tally.passed, tally.failed);
        total.add(tally.clone());
    }
    total.failures.iter().for_each(Failure::print);
    if !total.failures.is_empty() {
        println!();
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    total.failed == 0 && total.passed > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    fn heard(text: &str, status: i32) -> Tally {
        let mut listener = Listener::default();
        text.lines().for_each(|line| listener.hear(line));
        listener.conclude(Ok(ExitStatus::from_raw(status)))
    }

    #[test]
    fn results_are_added_from_the_lines_that_test_programs_print() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(parse_result(line), Some((12, 3)));
        assert_eq!(parse_result("running 3 tests"), None);
        assert_eq!(heard(&format!("{line}\nand then\n{line}"), 256), Tally { passed: 24, failed: 6, failures: vec![] });
    }

    #[test]
    fn a_failed_test_is_remembered_with_its_own_words() {
        let text = "test a ... FAILED\n\nfailures:\n\n---- a stdout ----\nit was\n7\n---- b stdout ----\n8\n\nfailures:\n    a\n    b\n\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored\nerror: test failed";
        let failures = [("a", "it was\n7"), ("b", "8\n\n")].map(|(name, said)| Failure::new(name).saying(said));
        assert_eq!(heard(text, 256), Tally { passed: 1, failed: 2, failures: failures.to_vec() });
    }

    #[test]
    fn a_failure_that_no_test_owns_up_to_counts() {
        let tally = heard("test result: ok. 4 passed; 0 failed; 0 ignored\nerror: it does not compile", 256);
        assert_eq!((tally.passed, tally.failed, tally.failures.len()), (4, 1, 1));
    }

    #[test]
    fn of_many_words_the_first_and_the_last_are_kept() {
        let text: String = (0..100).map(|n| format!("{n}\n")).collect();
        let failure = Failure::new("talks").saying(&text);
        assert_eq!((failure.first.len(), failure.left_out, failure.last.len()), (FIRST_LINES, 40, LAST_LINES));
        assert_eq!(
            (failure.first[19].as_str(), failure.last[0].as_str(), failure.last[39].as_str()),
            ("19", "60", "99")
        );
    }
}
