//! Wine's own tests of the sockets interface, with the DLL and without: no check fails with it that does not fail without.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use vmmc_tests_windows::{Ends, Stage, conformance, kernel_road_only};

/// How long one function may take: `test_send` sends 2 million messages.
const LIMIT: Duration = Duration::from_secs(180);
/// How often we look whether one has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Some of Wine's checks depend on time; what differs is looked at again so often.
const RUNS_MAX: u32 = 3;
/// Functions that are not run, with their reasons.
const EXCLUSIONS: &str = include_str!("../conformance/exclusions.txt");

/// What a test function found: how it ended, and the lines of Wine's source whose checks failed.
type Outcome = BTreeSet<String>;
/// What each function found.
type Outcomes = BTreeMap<String, Outcome>;

#[test]
fn no_check_fails_that_does_not_fail_without_the_dll() {
    let suite = conformance::suite();
    let excluded: BTreeMap<&str, &str> =
        EXCLUSIONS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": ")).collect();
    let unknown: Vec<_> = excluded.keys().filter(|name| !suite.functions.iter().any(|known| known == *name)).collect();
    assert!(unknown.is_empty(), "these are excluded, but Wine has no such tests: {unknown:?}");
    let mut run: Vec<String> = suite.functions.clone();
    run.retain(|name| !excluded.contains_key(name.as_str()));
    let (mut plain, mut with) = both(&suite, &run);
    let failing = plain.values().filter(|outcome| !outcome.is_empty()).count();
    println!("conformance: {} functions, {} left out, {failing} fail without the DLL", run.len(), excluded.len());
    if kernel_road_only() {
        return;
    }
    // What fails without the DLL as well is not its doing; some checks depend on time, and pass when they will.
    let worse = |name: &str, plain: &Outcomes, with: &Outcomes| !with[name].is_subset(&plain[name]);
    for _ in 1..RUNS_MAX {
        run.retain(|name| worse(name, &plain, &with));
        if !run.is_empty() {
            println!("conformance: looking again at {run:?}");
            let again = both(&suite, &run);
            again.0.into_iter().for_each(|(name, outcome)| plain.entry(name).or_default().extend(outcome));
            with.extend(again.1);
        }
    }
    run.retain(|name| worse(name, &plain, &with));
    let differences = run.iter().map(|name| format!("{name}:\n  {:?}\n  {:?}\n", plain[name], with[name]));
    assert!(run.is_empty(), "these differ, without the DLL and with it:\n{}", differences.collect::<String>());
}

/// Runs functions without the DLL and with it, at once.
fn both(suite: &conformance::Suite, functions: &[String]) -> (Outcomes, Outcomes) {
    if kernel_road_only() {
        return (outcomes(Ends::Neither, suite, functions), Outcomes::new());
    }
    thread::scope(|scope| {
        let plain = scope.spawn(|| outcomes(Ends::Neither, suite, functions));
        let with = outcomes(Ends::Both, suite, functions);
        (plain.join().expect("Wine's tests without the DLL"), with)
    })
}

/// Runs functions one after the other.
fn outcomes(ends: Ends, suite: &conformance::Suite, functions: &[String]) -> Outcomes {
    let stage = Stage::new("conformance", ends, &[&suite.program]);
    let outcomes = functions.iter().map(|name| (name.clone(), outcome(&stage, name))).collect();
    stage.check_loaded();
    outcomes
}

fn outcome(stage: &Stage, function: &str) -> Outcome {
    let began = Instant::now();
    let mut program = stage.client(&["conformance.exe", function]).limit(LIMIT * 2).start();
    while program.is_alive() {
        if began.elapsed() > LIMIT {
            return Outcome::from(["hangs".to_owned()]);
        }
        sleep(LOOK_EVERY);
    }
    let finished = program.finish();
    let said = format!("{}\n{}", finished.stdout, finished.stderr);
    let complaints = ["Test failed", "Test succeeded inside todo block", "nhandled"];
    let lines = said.lines().filter(|line| complaints.iter().any(|complaint| line.contains(complaint)));
    let mut outcome: Outcome = lines.map(place).collect();
    if !said.contains(" tests executed") {
        outcome.insert("did not come to its end".to_owned());
    }
    outcome
}

/// `sock.c:123`: the message behind it holds handles and times.
fn place(line: &str) -> String {
    line.split(": ").next().unwrap_or(line).to_owned()
}
