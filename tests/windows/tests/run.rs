//! `vmmc.exe run`: programs that have no DLL beside them, and what they start.

use std::fs;
use std::path::Path;
use std::time::Duration;

use vmmc_tests_windows::{Ends, Stage, kernel_road_only, programs};

const PORT: u16 = 9400;
const LIMIT: Duration = Duration::from_secs(120);
/// While this file is not there the client goes on.
const ENOUGH: &str = "enough";

/// A server and a client, started by these words, whose connection is seen on the VMMC road in both directions.
fn accelerated(stage: &Stage, server: &[&str], client: &[&str]) {
    let port = PORT.to_string();
    let _ = fs::remove_file(stage.path(ENOUGH));
    let file = format!("../{ENOUGH}");
    let mut server = stage.vmmc(&[&["run", "--"], server, &["server", &port, "1"]].concat()).limit(LIMIT).start();
    stage.await_listener(&mut server, PORT);
    let client = stage.vmmc(&[&["run", "--"], client, &["client", &port, &file]].concat()).limit(LIMIT).start();
    stage.await_both_ways();
    let _ = stage.write(ENOUGH, "");
    for (program, said) in [(client, "ok\r\n"), (server, "served\r\n")] {
        let ended = program.finish();
        assert!(ended.status.success() && ended.stdout == said, "{}:\n{}{}", ended.status, ended.stdout, ended.stderr);
    }
}

fn stage(name: &str, programs: &[&Path]) -> Option<Stage> {
    (!kernel_road_only()).then(|| Stage::new(name, Ends::Both, programs))
}

#[test]
fn a_program_and_its_children() {
    const FILE: &str = "children.exe";
    let Some(stage) = stage("run-children", &[&programs::app(FILE)]) else { return };
    accelerated(&stage, &[FILE], &[FILE]);
    for how in ["a", "w", "suspended", "user", "spawn"] {
        println!("{how}");
        accelerated(&stage, &[FILE], &[FILE, "start", how, FILE]);
    }
    println!("a child's child");
    let start = [FILE, "start", "a", FILE, "start", "w", FILE];
    accelerated(&stage, &start, &start);
    println!("with the DLL beside it as well");
    let beside = r"..\with\children.exe";
    accelerated(&stage, &[beside, "start", "a", beside], &[beside]);
}

#[test]
fn modules_and_functions_that_are_found_late() {
    let files =
        [programs::app("late.exe"), programs::app_as_library("children.dll"), programs::app_as_library("late.dll")];
    let files: Vec<&Path> = files.iter().map(|file| file.as_path()).collect();
    let Some(stage) = stage("run-late", &files) else { return };
    println!("a module");
    accelerated(&stage, &["late.exe", "module", "children.dll"], &["late.exe", "module", "children.dll"]);
    println!("functions");
    accelerated(&stage, &["late.exe", "pointers"], &["late.exe", "pointers"]);
    println!("functions, by a module");
    let both = ["late.exe", "module", "late.dll", "pointers"];
    accelerated(&stage, &both, &both);
}
