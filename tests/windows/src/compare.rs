//! One scenario, with the DLL at neither end, at both, and at one.

use std::path::Path;
use std::time::Instant;

use vmmc_tests::Ends;

use crate::Stage;

/// Only what needs no DLL is to be run.
#[must_use]
pub fn kernel_road_only() -> bool {
    std::env::var("VMMC_TEST_ROADS").is_ok_and(|roads| roads == "kernel")
}

/// Runs a scenario without the DLL, with it beside both ends' programs, and beside one end's. It returns what must be the same
/// each time.
///
/// # Panics
///
/// If a run fails, differs from the first, or a program did not get the DLL that it was to have.
pub fn compare(name: &str, programs: &[&Path], scenario: impl Fn(&Stage) -> String) {
    let plain = run(name, Ends::Neither, programs, &scenario);
    assert!(!plain.is_empty(), "{name} says nothing");
    if kernel_road_only() {
        return;
    }
    for ends in [Ends::Both, Ends::ClientOnly, Ends::ServerOnly] {
        let with = run(name, ends, programs, &scenario);
        assert_eq!(with, plain, "{name}: with the DLL at {ends:?} it differs");
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
