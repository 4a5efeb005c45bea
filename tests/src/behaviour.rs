//! One C program of `apps/`: compiled, run plainly and in several ways under `vmmc run`, its transcripts compared.
//!
//! A program's cases are described in `apps/common.h`. While it holds still at the end of a warm-up (`VMMC_TEST_HOOK`) we ask
//! `vmmc status` whether both ends of its connection have moved data over VMMC in both directions: a transcript that is right
//! because nothing was accelerated proves nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::compare::kernel_road_only;
use crate::{Ends, Finished, Launch, Stage};

/// How long one run of a program may take.
const RUN_LIMIT: Duration = Duration::from_secs(300);
/// How long a warm-up may take to be seen on the VMMC road. The program itself waits for 30 s.
const WARM_LIMIT: Duration = Duration::from_secs(25);
/// How often we look.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Words that a transcript never holds unless a program, or the kernel, is broken.
const COMPLAINTS: [&str; 8] =
    ["FAILED", "WRONG", "TOO LATE", "STARVED", "UNEXPECTED", ": exit 1", ": exit 2", ": exit 3"];

/// The programs that others run are compiled once.
static HELPERS: Once = Once::new();

/// What is expected of a program's warmed-up connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// They use VMMC in both directions.
    Vmmc,
    /// They may stay where they are: an end is not enabled.
    Kernel,
}

/// One way to run a program under `vmmc run`.
struct Way {
    name: &'static str,
    options: &'static [&'static str],
    /// Each end is a program of its own, or a fork of one.
    separate: bool,
    /// We stop each case when it is warm, and look.
    watched: bool,
}

const WAYS: [Way; 3] = [
    Way { name: "separate programs", options: &["--profile", "safe"], separate: true, watched: true },
    Way { name: "forked ends", options: &["--profile", "safe"], separate: false, watched: false },
    Way { name: "everybody asleep", options: &["--spin", "off"], separate: true, watched: false },
];

/// Compiles `apps/NAME.c`, runs it plainly twice and then in each way, and compares.
///
/// # Panics
///
/// If it does not compile, contradicts itself, or behaves otherwise under `vmmc run`, or did not take the road.
pub fn behaves(name: &str, road: Road) {
    let program = build(name);
    let plain = plain_transcript(name, &program);
    if kernel_road_only() {
        return;
    }
    let failures: Vec<String> =
        WAYS.iter().filter_map(|way| enabled(name, &program, way, road, &plain).err()).collect();
    assert!(failures.is_empty(), "{name}:\n{}", failures.join("\n"));
}

/// What the kernel does; the same whether the ends were forked or executed, or the program would be no measure.
fn plain_transcript(name: &str, program: &Path) -> String {
    let stage = Stage::new(name, Ends::Neither, None);
    let program = program.to_string_lossy();
    let [forked, separate] = [&[&*program][..], &[&*program, "--exec"]].map(|words| run(stage.plain(words)).stdout);
    assert_eq!(difference(&forked, &separate), "", "{name} contradicts itself on the kernel road");
    for complaint in COMPLAINTS {
        assert!(!forked.contains(complaint), "{name}, run plainly, says {complaint}:\n{forked}");
    }
    assert!(!forked.is_empty(), "{name} says nothing");
    forked
}

fn run(launch: Launch) -> Finished {
    launch.limit(RUN_LIMIT).finish()
}

/// One run under `vmmc run`; says what was wrong.
fn enabled(name: &str, program: &Path, way: &Way, road: Road, plain: &str) -> Result<(), String> {
    let stage = Stage::new(name, Ends::Both, None);
    let command = stage.path("vmmc");
    let mut words = vec![command.to_string_lossy().into_owned(), "run".to_owned()];
    words.extend(way.options.iter().map(|option| (*option).to_owned()));
    words.extend(["--".to_owned(), program.to_string_lossy().into_owned()]);
    words.extend(way.separate.then(|| "--exec".to_owned()));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let began = Instant::now();
    let (finished, missed) = if way.watched && road == Road::Vmmc {
        watched(&stage, stage.plain(&words))
    } else {
        (run(stage.plain(&words)), String::new())
    };
    println!("{name}: {}: {} ms", way.name, began.elapsed().as_millis());
    let difference = difference(plain, &finished.stdout);
    let said = format!("{difference}{missed}{}", finished.stderr);
    if said.is_empty() { Ok(()) } else { Err(format!("--- {}: {}\n{said}", way.name, finished.status)) }
}

/// Runs a program that stops at the end of each case's first warm-up, and looks at its connections there.
fn watched(stage: &Stage, launch: Launch) -> (Finished, String) {
    let hook = stage.path("hook");
    fs::create_dir(&hook).expect("a directory for the hook");
    let mut program = launch.env("VMMC_TEST_HOOK", &hook).limit(RUN_LIMIT).start();
    let mut warm = BTreeMap::new();
    let began = Instant::now();
    while program.is_alive() && began.elapsed() < RUN_LIMIT {
        if let Some(number) = ready(&hook) {
            let seen = await_warm(stage).map_err(|seen| format!("case {number}: {seen}"));
            warm.insert(number, seen);
            fs::remove_file(hook.join(format!("ready.{number}"))).expect("the hook is ours");
            fs::write(hook.join(format!("go.{number}")), "").expect("the hook is ours");
        }
        sleep(LOOK_EVERY / 4);
    }
    let mut missed: String = warm.values().filter_map(|seen| seen.as_ref().err()).map(String::as_str).collect();
    if warm.is_empty() {
        missed.push_str("no case came to the end of a warm-up\n");
    }
    (program.finish(), missed)
}

/// The number of a case that waits for us.
fn ready(hook: &Path) -> Option<u32> {
    let names = fs::read_dir(hook).ok()?.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.strip_prefix("ready.")?.parse().ok()).next()
}

/// Waits until both ends of a connection have moved data over VMMC both ways.
fn await_warm(stage: &Stage) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let status = stage.status();
        if status.both_ways() >= 2 {
            return Ok(());
        }
        if began.elapsed() > WARM_LIMIT {
            return Err(format!("a warm connection is not on the VMMC road:\n{}\n", status.describe()));
        }
        sleep(LOOK_EVERY);
    }
}

/// Compiles a program, and the helpers that stand beside it.
fn build(name: &str) -> PathBuf {
    let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps");
    let sanitizer = std::env::var("VMMC_TEST_SANITIZER").ok();
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/behaviour").join(sanitizer.as_deref().unwrap_or("plain"));
    fs::create_dir_all(&built).expect("a directory for programs");
    let source = |name: &str| apps.join(name).with_extension("c");
    let output = built.join(name);
    let options = match sanitizer.as_deref() {
        None => &["-pthread"][..],
        // Within the program, where its calls come first and find the library's behind them; as a library of its own it would
        // have to be loaded before all others.
        Some("address") => &["-pthread", "-g", "-fsanitize=address", "-static-libasan"],
        Some("thread") => &["-pthread", "-g", "-fsanitize=thread", "-static-libtsan"],
        Some(other) => panic!("no sanitizer `{other}`"),
    };
    compile(&output, options, &[source(name), source("common"), source("tools")]);
    HELPERS.call_once(|| {
        compile(&built.join("copy"), &["-static"], &[source("helpers/copy")]);
        compile(&built.join("handler"), &[], &[source("helpers/handler")]);
    });
    output.canonicalize().expect("it was just built")
}

/// Compiles to a file of our own first: test programs run side by side.
fn compile(output: &Path, options: &[&str], sources: &[PathBuf]) {
    let fresh = output.with_extension(std::process::id().to_string());
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-Wall", "-Wextra", "-Werror"]).args(options).args(sources).arg("-o").arg(&fresh);
    // For those that call it; the others are not bound to it.
    gcc.args(["-Wl,--as-needed", "-luring"]);
    let done = gcc.output().expect("gcc runs; `cargo xtask setup` installs it");
    assert!(done.status.success(), "{gcc:?}\n{}", String::from_utf8_lossy(&done.stderr));
    fs::rename(&fresh, output).expect("a program in its place");
}

/// The lines in which two transcripts differ, each with the case that it belongs to; empty if there are none.
fn difference(plain: &str, other: &str) -> String {
    let (plain, other) = (by_case(plain), by_case(other));
    let mut said = String::new();
    for (case, lines) in &plain {
        let theirs = other.get(case).cloned().unwrap_or_default();
        if *lines == theirs {
            continue;
        }
        said.push_str(&format!("{case}\n"));
        let start = lines.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
        let shown = |sign: &str, lines: &[&str]| -> String {
            lines.iter().skip(start).take(12).map(|line| format!("{sign} {line}\n")).collect()
        };
        said.push_str(&shown("-", lines));
        said.push_str(&shown("+", &theirs));
    }
    said
}

/// The transcript's lines by case; each case begins with `== its name`.
fn by_case(transcript: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut cases = BTreeMap::<&str, Vec<&str>>::new();
    let mut case = "";
    for line in transcript.lines() {
        if line.starts_with("== ") {
            case = line;
        }
        cases.entry(case).or_default().push(line);
    }
    cases
}
