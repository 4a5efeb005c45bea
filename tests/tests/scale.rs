//! Thousands of connections of one process (`programs/scale.c`): each is answered, none is forgotten, and what they needed is
//! given back. Nothing here is about time.
//!
//! `VMMC_TEST_CONNECTIONS` says how many come and go (a million, say).

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use vmmc_tests::{Ends, Launch, Program, Stage, net};

const ALL: usize = 10_000;
const BUSY: usize = 100;
const COME_AND_GO: u64 = 20_000;
/// A watchdog.
const LIMIT: Duration = Duration::from_secs(600);
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
    let port = net::free_port();
    let mut server =
        stage.server(&[&ROOMY[..], &[program(), "serve", &port.to_string()]].concat()).limit(LIMIT * 2).start();
    net::await_listener(&mut server, port);
    (server, port.to_string())
}

/// A program that waits for a line now and then.
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
        Self { program: launch.input(&pipe).limit(LIMIT).start(), lines, told: 0 }
    }

    /// Waits until it is ready, lets `look`, and lets it go on.
    fn when_ready<T>(&mut self, look: impl FnOnce(&Program) -> T) -> T {
        let began = Instant::now();
        while self.program.output().matches("ready").count() <= self.told {
            assert!(self.program.is_alive() && began.elapsed() < LIMIT, "not ready:\n{}", self.program.logs());
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
        let mut client = Led::start(&stage, stage.client(&[&ROOMY[..], &words].concat()));
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

#[test]
fn what_connections_needed_is_given_back() {
    let count = std::env::var("VMMC_TEST_CONNECTIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(COME_AND_GO);
    let stage = Stage::new("scale-short", Ends::Both, None);
    let (server, port) = serve(&stage);
    let mut client = Led::start(&stage, stage.client(&[program(), "short", &port, &count.to_string()]));
    let broker = stage.broker().expect("a broker");
    let all = |client: &Program| {
        [("client", client.pid()), ("server", server.pid()), ("broker", broker)].map(|(name, pid)| (name, Has::of(pid)))
    };
    client.when_ready(|_| ());
    let before = client.when_ready(all);
    let after = client.when_ready(all);
    client.finish();
    assert!(stage.moved().both_ways, "{}", stage.last_seen());
    for ((whose, before), (_, after)) in before.into_iter().zip(after) {
        after.assert_no_more_than(before, whose);
    }
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
