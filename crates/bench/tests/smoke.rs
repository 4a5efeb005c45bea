//! The whole benchmark, quickly, over the roads that need no library; and what is said when the library is missing.
//!
//! The benchmark starts its workers from the running executable, so this test is an executable of its own and not one under
//! the usual harness: called with the hidden subcommand, it is a worker; called with `run`, it is a `vmmc run` without library.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output};

use clap::Parser;
use serde_json::Value;

#[derive(Debug, Parser)]
struct Bench {
    #[command(flatten)]
    options: vmmc_bench::Options,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.split_first() {
        Some((first, rest)) if first == vmmc_bench::WORKER => code(vmmc_bench::worker(rest)),
        Some((first, _)) if first == "bench" => code(vmmc_bench::run(Bench::parse_from(args).options)),
        Some((first, _)) if first == "run" => code(Err(anyhow::anyhow!("libvmmc.so was not found"))),
        _ => tests(args.iter().find(|arg| !arg.starts_with('-')).map_or("", String::as_str)),
    }
}

fn code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

const TESTS: &[(&str, fn())] = &[
    ("pingpong_over_every_road_without_library", pingpong_over_every_road_without_library),
    ("stream_and_rate_count_what_arrived", stream_and_rate_count_what_arrived),
    ("epoll_and_connect_run_over_the_kernel", epoll_and_connect_run_over_the_kernel),
    ("a_missing_library_is_reported_and_the_rest_goes_on", a_missing_library_is_reported_and_the_rest_goes_on),
    ("a_worker_that_hangs_is_ended_by_its_watchdog", a_worker_that_hangs_is_ended_by_its_watchdog),
    ("the_plot_is_written", the_plot_is_written),
];

/// Runs the tests whose names contain `wanted`; a failing one panics.
fn tests(wanted: &str) -> ExitCode {
    let chosen = TESTS.iter().filter(|(name, _)| name.contains(wanted));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in chosen {
        let result = std::panic::catch_unwind(test);
        println!("test {name} ... {}", if result.is_ok() { "ok" } else { "FAILED" });
        *(if result.is_ok() { &mut passed } else { &mut failed }) += 1;
    }
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A file of this test process, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("vmmc-bench-smoke-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().expect("this executable"));
    command.args(args);
    command
}

fn bench(args: &[&str]) -> (Output, Value) {
    let file = Scratch::new("json");
    let path = file.0.to_string_lossy().into_owned();
    let quick = ["--seconds", "0.02", "--rounds", "1", "--json", &path];
    let output = command(&[&["bench"], args, &quick].concat()).output().expect("the benchmark starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json = fs::read_to_string(&file.0).expect("the JSON file");
    (output, serde_json::from_str(&json).expect("valid JSON"))
}

/// Every result: its road and size, with its median.
fn medians(json: &Value) -> Vec<(String, u64, f64)> {
    let results = json["results"].as_array().expect("results");
    let row = |one: &Value| {
        assert!(one["failed"].is_null(), "{one}");
        let road = one["road"].as_str().expect("a road").to_owned();
        (road, one["size"].as_u64().expect("a size"), one["median"].as_f64().expect("a median"))
    };
    results.iter().map(row).collect()
}

fn pingpong_over_every_road_without_library() {
    let (output, json) = bench(&["pingpong", "--roads", "kernel,unix,floors", "--sizes", "8,100KiB"]);
    let medians = medians(&json);
    let roads: Vec<&str> = medians.iter().filter(|(_, size, _)| *size == 8).map(|(road, ..)| road.as_str()).collect();
    assert_eq!(roads, ["kernel", "kernel_busy", "unix", "raw", "cache_line"]);
    assert_eq!(medians.len(), 9);
    assert!(medians.iter().all(|(_, _, median)| *median > 10.0 && *median < 1e9), "{medians:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("AF_UNIX") && text.contains("targets"), "{text}");
}

fn stream_and_rate_count_what_arrived() {
    for (test, sizes) in [("stream", "1000,256KiB"), ("rate", "64")] {
        let (_, json) = bench(&[test, "--roads", "kernel,unix,floors", "--sizes", sizes]);
        for one in json["results"].as_array().expect("results") {
            let sample = &one["samples"][0];
            let [sent, arrived] = ["client", "server"].map(|end| sample[end]["bytes"].as_u64().expect("bytes"));
            assert!(sent > 0 && arrived >= sent, "{one}");
        }
        assert!(medians(&json).iter().all(|(_, _, median)| *median > 1000.0));
    }
}

fn epoll_and_connect_run_over_the_kernel() {
    assert_eq!(medians(&bench(&["epoll", "--roads", "kernel,unix"]).1).len(), 2);
    assert_eq!(medians(&bench(&["connect", "--roads", "kernel"]).1).len(), 1);
}

fn a_missing_library_is_reported_and_the_rest_goes_on() {
    let (output, json) = bench(&["epoll", "--roads", "kernel,vmmc"]);
    let results = json["results"].as_array().expect("results");
    let [kernel, vmmc] = results.as_slice() else { panic!("{results:?}") };
    assert!(kernel["median"].is_f64() && vmmc["median"].is_null());
    let why = vmmc["failed"].as_str().expect("a reason");
    assert!(why.contains("libvmmc.so"), "{why}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&format!("failed: {why}")) && text.contains("not measured"), "{text}");
    let checked = command(&["bench", "epoll", "--roads", "kernel", "--seconds", "0.02", "--rounds", "1", "--check"]);
    assert_eq!({ checked }.output().expect("the benchmark starts").status.code(), Some(1));
}

fn a_worker_that_hangs_is_ended_by_its_watchdog() {
    let order = r#"{"work":"PingPong","role":"Server","transport":"Tcp","waiting":"Block","size":8,"connections":0,
        "seconds":1.0,"address":null,"cpu":null,"limit_seconds":1}"#;
    let output = command(&[vmmc_bench::WORKER, order]).output().expect("the worker starts");
    assert!(!output.status.success(), "a server without a client ended well");
}

fn the_plot_is_written() {
    let file = Scratch::new("svg");
    let path = file.0.to_string_lossy().into_owned();
    bench(&["stream", "--roads", "kernel,unix", "--sizes", "64,4KiB", "--plot", &path]);
    let svg = fs::read_to_string(&file.0).expect("the plot");
    assert!(svg.contains("kernel TCP") && svg.contains("bandwidth"), "{svg}");
}
