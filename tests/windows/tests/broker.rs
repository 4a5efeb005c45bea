//! The broker's own test of what both systems have in common, built for Windows.

use std::time::Duration;

use vmmc_tests_windows::{Ends, Stage, built, kernel_road_only};

const LIMIT: Duration = Duration::from_secs(240);

#[test]
fn pairing_memory_bells_and_tables() {
    if kernel_road_only() {
        return;
    }
    let stage = Stage::new("broker", Ends::Neither, &[&built("both_systems.exe")]);
    let finished = stage.client(&["both_systems.exe", "--test-threads=2"]).limit(LIMIT).finish();
    let said = &finished.stdout;
    println!("{said}");
    assert!(finished.status.success() && said.contains(" 0 failed; 0 ignored"), "{}:\n{said}", finished.status);
    assert!(said.lines().filter(|line| line.trim_end().ends_with("... ok")).count() >= 9, "tests are missing:\n{said}");
}
