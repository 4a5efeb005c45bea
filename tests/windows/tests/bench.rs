//! `vmmc bench` for Windows programs: that it measures, and prints every row. How fast anything was is not looked at.

use std::time::Duration;

use serde_json::Value;
use vmmc_tests_windows::{Ends, Launch, Linux, Stage, kernel_road_only};

const LIMIT: Duration = Duration::from_secs(600);
/// As little as can be.
const QUICK: [&str; 4] = ["--rounds", "1", "--seconds", "0.05"];

/// Benchmarks of Windows, their sizes, what must be printed, and the roads that must have been measured.
const ROWS: &[(&str, &[&str], &str, &[&str])] = &[
    (
        "pingpong",
        &["--sizes", "8"],
        ">= 30.0 x",
        &["kernel", "kernel_busy", "vmmc", "vmmc_asleep", "vmmc_client", "vmmc_server", "raw", "cache_line"],
    ),
    ("stream", &["--sizes", "64KiB"], ">= 3.00 x", &["kernel", "vmmc", "vmmc_client", "vmmc_server", "raw"]),
    ("connect", &[], "short connections", &["kernel", "vmmc"]),
];

/// The roads with a median in a JSON file, and why others have none.
fn measured(json: &Value) -> (Vec<String>, Vec<String>) {
    let (mut roads, mut failed) = (Vec::new(), Vec::new());
    for one in json["results"].as_array().expect("results") {
        let road = one["road"].as_str().unwrap_or_default().to_owned();
        if one["median"].is_f64() {
            roads.push(road);
        } else {
            failed.push(format!("{road}: {}", one["failed"]));
        }
    }
    (roads, failed)
}

/// Runs a benchmark; what it printed, and its JSON.
fn bench(stage: &Stage, launch: impl Fn(&[&str]) -> Launch, words: &[&str]) -> (String, Value) {
    let said = launch(&[words, &QUICK, &["--json", "bench.json"]].concat()).limit(LIMIT).run();
    let found = ["bench.json", "with/bench.json"].map(|name| stage.path(name)).into_iter().find(|file| file.is_file());
    let json = std::fs::read(found.expect("a JSON file")).expect("a JSON file");
    (said, serde_json::from_slice(&json).expect("valid JSON"))
}

#[test]
fn a_windows_program_beside_itself_on_every_road() {
    if kernel_road_only() {
        return;
    }
    let stage = Stage::new("bench", Ends::Both, &[]);
    for (test, sizes, printed, wanted) in ROWS {
        let words = [&["vmmc.exe", "bench", test], *sizes].concat();
        let (said, json) = bench(&stage, |rest| stage.client(&[&words, rest].concat()), &[]);
        let (roads, failed) = measured(&json);
        assert!(failed.is_empty() && said.contains(printed), "{failed:?}\n{said}");
        for wanted in *wanted {
            assert!(roads.iter().any(|road| road == wanted), "{test}: {wanted} is missing among {roads:?}");
        }
        let share = |one: &Value| one["median_through_memory"].as_f64().unwrap_or(0.0);
        let vmmc = json["results"].as_array().into_iter().flatten().find(|one| one["road"] == "vmmc").expect("vmmc");
        assert!(*test == "connect" || share(vmmc) > 0.0, "{test}: nothing went through memory: {vmmc}");
    }
}

#[test]
fn windows_programs_beside_those_of_linux() {
    if kernel_road_only() {
        return;
    }
    let stage = Stage::new("bench-wine", Ends::Both, &[]);
    let linux = Linux::new(&stage);
    let command = stage.beside_dll("vmmc.exe");
    let wine = ["--wine", &command.to_string_lossy()];
    for (test, size, target) in [("pingpong", "8", "<= 1.50 x"), ("stream", "64KiB", ">= 3.00 x")] {
        let words = ["bench", test, "--sizes", size];
        let (said, json) = bench(&stage, |rest| linux.command(&stage, &[&words, rest].concat()), &wine);
        let (roads, failed) = measured(&json);
        assert!(failed.is_empty(), "{failed:?}\n{said}");
        for wanted in ["vmmc", "wine", "wine_vmmc", "wine_client", "wine_server", "wine_raw"] {
            assert!(roads.iter().any(|road| road == wanted), "{wanted}:\n{said}");
        }
        assert!(said.contains("sockets over raw VMMC, Wine") && said.contains(target), "{said}");
    }
}
