//! Checked streams through every way to send, receive and wait (`programs/stress.c`), between two processes under `vmmc run`,
//! with spinning and without. A hang is shown with what `vmmc status` and gdb say of both ends.
//!
//! `VMMC_TEST_SEED` repeats a run; `VMMC_TEST_SECONDS` makes it longer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use vmmc_tests::{Ends, Program, Stage, net};

/// How long connections are made, for each setting.
const SECONDS: u64 = 5;
/// How long the last connections may take after that; the program says so itself when one stands still.
const LAST_LIMIT: Duration = Duration::from_secs(300);
/// How often the runs with VMMC are made anew if no look from outside came while a connection was on the VMMC road.
const PLAYS_MAX: u64 = 3;
/// Words by which the program complains.
const COMPLAINTS: [&str; 2] = ["WRONG", "STALLED"];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn seed() -> u64 {
    let seed = number("VMMC_TEST_SEED").unwrap_or(7);
    println!("VMMC_TEST_SEED={seed}");
    seed
}

fn built() -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/stress.c");
    let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("stress-{}", std::process::id()));
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(&output).arg(program);
    assert!(gcc.status().expect("gcc runs; `cargo xtask setup` installs it").success(), "{gcc:?}");
    output.to_string_lossy().into_owned()
}

/// What can be seen of both ends from outside, if there is a gdb; what complained first.
fn inquest(stage: &Stage, server: &Program, client: &Program, complaint: &str) -> String {
    let mut said = format!("{}\n", stage.status().describe());
    let is_named = |pid: &u32| complaint.contains(&format!(" pid {pid} "));
    let mut family: Vec<u32> = [server, client].iter().flat_map(|program| program.family()).collect();
    family.sort_by_key(|pid| !is_named(pid));
    for pid in family {
        let mut gdb = Command::new("timeout");
        gdb.args(["20", "gdb", "-batch", "-ex", "thread apply all bt 30", "-p", &pid.to_string()]);
        let output = gdb.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        // Of a process that has ended and that nobody has waited for, gdb has nothing to say.
        let stacks = output.unwrap_or_default();
        if stacks.contains("#0") {
            said.push_str(&format!("=== process {pid}\n{stacks}\n"));
        }
    }
    said
}

/// One run; whether some connection was seen to move over VMMC both ways.
fn under(ends: Ends, spin: Option<&str>, lanes: u64, seconds: u64, seed: u64) -> bool {
    let name = format!("stress-{}", spin.unwrap_or("plain"));
    let stage = Stage::new(&name, ends, None);
    let (program, port) = (built(), net::free_port());
    let [port_word, lanes, milliseconds, seed] = [u64::from(port), lanes, seconds * 1000, seed].map(|n| n.to_string());
    let limit = Duration::from_secs(seconds) + LAST_LIMIT;
    let with = |launch: vmmc_tests::Launch| match spin {
        Some(spin) => launch.env("VMMC_SPIN", spin).limit(limit * 2),
        None => launch.limit(limit * 2),
    };
    let mut server = with(stage.server(&[&program, "serve", &port_word])).start();
    net::await_listener(&mut server, port);
    let mut client = with(stage.client(&[&program, "drive", &port_word, &lanes, &milliseconds, &seed])).start();
    let began = Instant::now();
    while client.is_alive() {
        let said = format!("{}{}", server.output(), client.output());
        let wrong = COMPLAINTS.iter().any(|complaint| said.contains(complaint));
        if wrong || began.elapsed() > limit || !server.is_alive() {
            panic!("{name}, seed {seed}:\n{said}\n{}", inquest(&stage, &server, &client, &said));
        }
        sleep(Duration::from_millis(50));
    }
    let finished = client.finish();
    assert!(finished.stdout.starts_with("done "), "{name}, seed {seed}: {} {}", finished.stdout, finished.stderr);
    println!("{name}: {} connections in {} ms", finished.stdout.trim(), began.elapsed().as_millis());
    stage.moved().both_ways
}

#[test]
fn every_byte_arrives() {
    let (seed, seconds) = (seed(), number("VMMC_TEST_SECONDS").unwrap_or(SECONDS));
    under(Ends::Neither, None, 4, 1, seed);
    if std::env::var("VMMC_TEST_ROADS").is_ok_and(|roads| roads == "kernel") {
        return;
    }
    // A look from outside can miss every connection of a short run with many forks, but not of all four, or else not again.
    let is_seen = (0..PLAYS_MAX).any(|play| {
        let mut moved = 0;
        for (turn, spin) in (2 * play..).zip(["auto", "off"]) {
            for lanes in [2, 16] {
                moved += u32::from(under(Ends::Both, Some(spin), lanes, seconds.div_ceil(2), seed + turn));
            }
        }
        moved > 0
    });
    assert!(is_seen, "nothing moved over VMMC both ways");
}
