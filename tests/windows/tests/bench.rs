//! `vmmc bench` for Windows programs: that it measures, and prints every row. How fast anything was is not looked at.

use std::time::Duration;

use serde_json::Value;
use vmmc_tests_windows::{Ends, Linux, Stage, kernel_road_only};

const LIMIT: Duration = Duration::from_secs(600);
/// As little as can be.
const QUICK: [&str; 4] = ["--rounds", "1", "--seconds", "0.05"];

/// The roads with a median in a JSON file, and why others have none.
fn measured(json: &Value) -> (Vec<String>, Vec<String>) {
    let (mut roads, mut failed) = (Vec::new(), Vec::new());
    for one in json["results"].as_array().expect("results") {
        let name =
            format!("{} {} {}", one["test"].as_str().unwrap_or(""), one["size"], one["road"].as_str().unwrap_or(""));
        if one["median"].is_f64() {
            roads.push(name);
        } else {
            failed.push(format!("{name}: {}", one["failed"]));
        }
    }
    (roads, failed)
}

/// Runs a benchmark; what it printed, and its JSON.
fn bench(stage: &Stage, launch: impl Fn(&[&str]) -> vmmc_tests_windows::Launch, words: &[&str]) -> (String, Value) {
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
    let (said, json) =
        bench(&stage, |words| stage.client(&[&["vmmc.exe", "bench"], words].concat()), &["all", "--sizes", "8,64KiB"]);
    let (roads, failed) = measured(&json);
    assert!(failed.is_empty(), "{failed:?}\n{said}");
    for wanted in [
        "ping_pong 8 kernel",
        "ping_pong 8 vmmc",
        "ping_pong 8 vmmc_client",
        "ping_pong 8 raw",
        "stream 65536 vmmc",
        "stream 65536 vmmc_server",
        "stream 65536 raw",
        "rate 64 vmmc",
        "connect 64 vmmc",
    ] {
        assert!(roads.iter().any(|road| road == wanted), "{wanted} is missing among {roads:?}");
    }
    assert!(!said.contains("not measured"), "{said}");
    assert!(said.contains("sockets over raw VMMC") && said.contains(">= 30.0 x"), "{said}");
    let memory =
        |one: &&Value| one["road"] == "vmmc" && one["median_through_memory"].as_f64().is_some_and(|share| share > 0.0);
    assert!(json["results"].as_array().expect("results").iter().filter(memory).count() >= 2, "{said}");
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
            assert!(roads.iter().any(|road| road.ends_with(&format!(" {wanted}"))), "{wanted}:\n{said}");
        }
        assert!(said.contains("sockets over raw VMMC, Wine") && said.contains(target), "{said}");
    }
}
