//! Thousands of connections of one process (`programs/scale.c`): each is answered, none is forgotten, and what they needed is
//! given back. Nothing here is about time.
//!
//! A million that come and go are `a_million_connections_leave_nothing_behind`, which runs when it is named:
//! `cargo test -p vmmc-tests --test scale -- --ignored`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use vmmc_protocol::{Client, RuntimeDir};
use vmmc_tests::{Ends, Launch, Program, Stage, net};

const ALL: usize = 10_000;
const BUSY: usize = 100;
const COME_AND_GO: u64 = 20_000;
const A_MILLION: u64 = 1_000_000;
/// A watchdog.
const LIMIT: Duration = Duration::from_secs(600);
/// And one for a million connections.
const LIMIT_OF_A_MILLION: Duration = Duration::from_secs(4 * 3600);
/// What a process may have more after many connections than after a few: descriptors, and KiB of memory.
const MORE_DESCRIPTORS: usize = 8;
const MORE_KIBIBYTES: u64 = 16 * 1024;
/// Descriptors that the library may keep for itself in a process.
const OWN_DESCRIPTORS: usize = 16;

/// The program, with room for as many descriptors as it takes.
fn program() -> &'static str {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/scale.c");
        let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("scale-{}", std::process::id()));
        let mut gcc = Command::new("gcc");
        gcc.args(["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&output).arg(source);
        assert!(gcc.status().expect("gcc runs; `cargo xtask setup` installs it").success(), "{gcc:?}");
        output
    });
    built.to_str().expect("a plain path")
}

const ROOMY: [&str; 2] = ["prlimit", "--nofile=16384:16384"];

fn serve(stage: &Stage) -> (Program, String) {
    let number = net::free_port();
    let port = number.to_string();
    let words = [&ROOMY[..], &[program(), "serve", &port]].concat();
    let mut server = stage.server(&words).limit(LIMIT_OF_A_MILLION).start();
    net::await_listener(&mut server, number);
    (server, port)
}

/// A program that waits for a line now and then, and that has a watchdog.
struct Led {
    program: Program,
    lines: File,
    told: usize,
}

impl Led {
    fn start(stage: &Stage, launch: Launch) -> Self {
        let pipe = stage.path("lines");
        assert!(Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()));
        // For both, so that neither end waits for the other to be opened.
        let lines = OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
        Self { program: launch.input(&pipe).start(), lines, told: 0 }
    }

    /// Waits until it is ready, lets `look`, and lets it go on.
    fn when_ready<T>(&mut self, look: impl FnOnce(&Program) -> T) -> T {
        let began = Instant::now();
        while self.program.output().matches("ready").count() <= self.told {
            assert!(self.program.is_alive(), "not ready after {:?}:\n{}", began.elapsed(), self.program.logs());
            sleep(Duration::from_millis(10));
        }
        let seen = look(&self.program);
        self.told += 1;
        writeln!(self.lines, "go").expect("it reads");
        seen
    }

    fn finish(self) {
        let finished = self.program.finish();
        assert!(finished.status.success(), "{} {}", finished.stdout, finished.stderr);
    }
}

#[test]
fn of_ten_thousand_in_one_epoll_set_those_that_speak_are_heard() {
    for ends in [Ends::Neither, Ends::Both] {
        let mut stage = Stage::new("scale-many", ends, None);
        stage.stop_watching();
        let (server, port) = serve(&stage);
        let words = [program(), "many", &port, &ALL.to_string(), &BUSY.to_string(), "100"];
        let mut client = Led::start(&stage, stage.client(&[&ROOMY[..], &words].concat()).limit(LIMIT));
        client.when_ready(|_| ());
        let moved = client.when_ready(|_| if ends == Ends::Both { stage.status().both_ways() } else { 0 });
        client.when_ready(|_| ());
        client.finish();
        assert!(!server.logs().contains("WRONG"), "{}", server.logs());
        println!("{ends:?}: {moved} ends of {ALL} connections have moved data over VMMC both ways");
        assert!(ends == Ends::Neither || moved >= 2 * BUSY, "only {moved} ends moved data over VMMC both ways");
    }
}

/// What a process has: open descriptors, and KiB of memory that is its own or that it has touched of what is shared.
#[derive(Clone, Copy, Debug)]
struct Has {
    descriptors: usize,
    kibibytes: u64,
}

impl Has {
    fn of(pid: u32) -> Self {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let status = std::fs::read_to_string(process.join("status")).expect("it lives");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kibibytes = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        Self { descriptors: std::fs::read_dir(process.join("fd")).expect("its descriptors").count(), kibibytes }
    }

    fn assert_no_more_than(self, before: Self, whose: &str) {
        println!("{whose}: {before:?}, later {self:?}");
        assert!(self.descriptors <= before.descriptors + MORE_DESCRIPTORS, "{whose} keeps descriptors");
        assert!(self.kibibytes <= before.kibibytes + MORE_KIBIBYTES, "{whose} keeps memory");
    }
}

/// The broker's links.
fn links(stage: &Stage) -> u32 {
    let runtime = stage.path("runtime");
    let dir = RuntimeDir::at(runtime.as_os_str().as_encoded_bytes()).expect("a runtime directory");
    Client::ping(&dir, 60_000).expect("it answers").links
}

/// So many connections come and go, each thread's one after the other, a quarter of them long enough to be paired. What is there
/// after a tenth of them is compared with what is there after all.
fn leave_nothing_behind(count: u64, threads: u32, limit: Duration) {
    let stage = Stage::new("scale-short", Ends::Both, None);
    let (server, port) = serve(&stage);
    let words = [program(), "short", &port, &count.to_string(), &threads.to_string()];
    let mut client = Led::start(&stage, stage.client(&words).limit(limit));
    let broker = stage.broker().expect("a broker");
    let all = |client: &Program| {
        let of = |(name, pid)| (name, Has::of(pid));
        ([("client", client.pid()), ("server", server.pid()), ("broker", broker)].map(of), links(&stage))
    };
    client.when_ready(|_| ());
    let (before, links_before) = client.when_ready(all);
    let (after, links_after) = client.when_ready(all);
    client.finish();
    assert!(stage.moved().both_ways, "{}", stage.last_seen());
    for ((whose, before), (_, after)) in before.into_iter().zip(after) {
        after.assert_no_more_than(before, whose);
    }
    println!("links: {links_before}, later {links_after}");
    assert!((1..=links_before).contains(&links_after), "links: {links_before}, later {links_after}");
    let began = Instant::now();
    while links(&stage) > 0 {
        assert!(began.elapsed() < LIMIT, "the links of a program that has ended stay");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_connections_needed_is_given_back() {
    leave_nothing_behind(COME_AND_GO, 1, LIMIT);
}

#[test]
#[ignore = "takes half an hour"]
fn a_million_connections_leave_nothing_behind() {
    leave_nothing_behind(A_MILLION, 16, LIMIT_OF_A_MILLION);
}

/// The library's own descriptors count, so the program meets its limit a little earlier, and in the same way.
#[test]
fn a_program_that_opens_all_it_may_is_told_so_as_ever() {
    let stage = Stage::new("scale-fill", Ends::Both, None);
    let (_server, port) = serve(&stage);
    for limit in [48, 300] {
        let few = format!("--nofile={limit}");
        let words = ["prlimit", &few, program(), "fill", &port];
        let [plain, under] = [stage.plain(&words), stage.client(&words)].map(|launch| {
            let said = launch.limit(LIMIT).run();
            said.split(' ').next().and_then(|word| word.parse::<usize>().ok()).unwrap_or_else(|| panic!("{said}"))
        });
        println!("{limit} descriptors: {plain} connections without the library, {under} with it");
        assert!(under <= plain && under + OWN_DESCRIPTORS >= plain, "{plain} and {under}");
    }
}
