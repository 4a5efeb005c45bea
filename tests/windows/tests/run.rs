//! `vmmc.exe run`: programs that have no DLL beside them, and what they start.

use std::fs;
use std::time::Duration;

use vmmc_tests_windows::{Ends, Stage, kernel_road_only, programs};

const PORT: u16 = 9400;
const LIMIT: Duration = Duration::from_secs(120);
/// While this file is not there the client goes on.
const ENOUGH: &str = "enough";

/// A server by `server`, and a client by `client`, whose connection is seen on the VMMC road in both directions.
fn accelerated(stage: &Stage, server: &[&str], client: &[&str]) {
    let port = PORT.to_string();
    let _ = fs::remove_file(stage.path(ENOUGH));
    let file = format!("../{ENOUGH}");
    let mut server = stage.vmmc(&[server, &["children.exe", "server", &port, "1"]].concat()).limit(LIMIT).start();
    stage.await_listener(&mut server, PORT);
    let client = stage.vmmc(&[client, &["children.exe", "client", &port, &file]].concat()).limit(LIMIT).start();
    stage.await_both_ways();
    let _ = stage.write(ENOUGH, "");
    for (program, said) in [(client, "ok\r\n"), (server, "served\r\n")] {
        let ended = program.finish();
        assert!(ended.status.success() && ended.stdout == said, "{}:\n{}{}", ended.status, ended.stdout, ended.stderr);
    }
}

fn stage(name: &str) -> Option<Stage> {
    (!kernel_road_only()).then(|| Stage::new(name, Ends::Both, &[&programs::app("children.exe")]))
}

#[test]
fn a_program_and_its_children() {
    let Some(stage) = stage("run-children") else { return };
    accelerated(&stage, &["run", "--"], &["run", "--"]);
    for how in ["a", "w", "suspended", "user", "spawn"] {
        println!("{how}");
        accelerated(&stage, &["run", "--"], &["run", "--", "children.exe", "start", how]);
    }
    println!("a child's child");
    let start = ["run", "--", "children.exe", "start", "a", "children.exe", "start", "w"];
    accelerated(&stage, &start, &start);
}
