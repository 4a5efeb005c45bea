//! One scenario, with the DLL at neither end, at both, and at one.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use vmmc_tests::Ends;

use crate::Stage;

/// One scenario plays at a time in a test program, in all its ways.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Only what needs no DLL is to be run.
#[must_use]
pub fn kernel_road_only() -> bool {
    std::env::var("VMMC_TEST_ROADS").is_ok_and(|roads| roads == "kernel")
}

/// The ways in which the DLL may be there.
const WITH_DLL: &[Ends] = &[Ends::Both, Ends::ClientOnly, Ends::ServerOnly];

/// Runs a scenario without the DLL, with it beside both ends' programs, and beside one end's, all at once: most wait most of the
/// time. It returns what must be the same each time.
///
/// # Panics
///
/// If a run fails, differs from the one without the DLL, or a program did not get the DLL that it was to have.
pub fn compare(name: &str, programs: &[&Path], scenario: impl Fn(&Stage) -> String + Sync) {
    compare_with(name, WITH_DLL, programs, scenario);
}

/// [`compare`] with the DLL at these ends alone.
///
/// # Panics
///
/// As [`compare`].
pub fn compare_with(name: &str, ways: &[Ends], programs: &[&Path], scenario: impl Fn(&Stage) -> String + Sync) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let with_dll = if kernel_road_only() { &[] } else { ways };
    let (plain, others) = thread::scope(|scope| {
        let run = |ends| {
            scope.spawn({
                let scenario = &scenario;
                move || run(name, ends, programs, scenario)
            })
        };
        let plain = run(Ends::Neither);
        let others: Vec<_> = with_dll.iter().map(|ends| (*ends, run(*ends))).collect();
        (plain.join(), others.into_iter().map(|(ends, other)| (ends, other.join())).collect::<Vec<_>>())
    });
    let plain = plain.unwrap_or_else(|_| panic!("{name} fails without the DLL"));
    assert!(!plain.is_empty(), "{name} says nothing");
    for (ends, other) in others {
        let other = other.unwrap_or_else(|_| panic!("{name} fails with the DLL at {ends:?}"));
        assert_eq!(other, plain, "{name}: with the DLL at {ends:?} it differs");
    }
}

fn run(name: &str, ends: Ends, programs: &[&Path], scenario: &impl Fn(&Stage) -> String) -> String {
    let stage = Stage::new(name, ends, programs);
    let began = Instant::now();
    let result = scenario(&stage);
    println!("{name}: {ends:?}: {} ms", began.elapsed().as_millis());
    stage.check_loaded();
    result
}
