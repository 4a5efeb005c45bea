//! What a program is given too little of: address space, descriptors, file sizes, memory, shared memory; and clocks that disagree.
//! Whatever the library cannot have because of it, the program does not miss: its connections are on the kernel road, and whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use vmmc_tests::{Ends, Finished, Launch, Program, Stage, net};

const LOAD: &str = env!("CARGO_BIN_EXE_load");
const LIMIT: Duration = Duration::from_secs(120);
const CONNECTIONS: usize = 4;

fn serve(launch: impl Fn(&[&str]) -> Launch) -> (Program, String) {
    let port = net::free_port();
    let mut server = launch(&[LOAD, "serve", &port.to_string()]).limit(LIMIT * 2).start();
    net::await_listener(&mut server, port);
    (server, port.to_string())
}

fn drive(launch: impl Fn(&[&str]) -> Launch, port: &str, milliseconds: &str) -> Finished {
    launch(&[LOAD, "drive", port, &CONNECTIONS.to_string(), milliseconds, "11"]).limit(LIMIT).finish()
}

fn assert_whole(finished: &Finished, what: &str) {
    assert_eq!(finished.stdout, "end\n".repeat(CONNECTIONS), "{what}: {} {}", finished.status, finished.stderr);
}

/// The words of a program that runs under a limit.
fn limited<'word>(limit: &'word str, words: &[&'word str]) -> Vec<&'word str> {
    [&["prlimit", limit], words].concat()
}

/// What a program can do under a limit it can do under the same limit with the library. (With an arena for each thread the C
/// library itself takes all address space that there is.)
fn as_far_as_without(limits: &[String]) {
    let stage = Stage::new("limits", Ends::Both, None);
    for limit in limits {
        let plain = |words: &[&str]| stage.plain(&limited(limit, words)).env("MALLOC_ARENA_MAX", "1");
        let under = |words: &[&str]| stage.server(&limited(limit, words)).env("MALLOC_ARENA_MAX", "1");
        let (_server, port) = serve(plain);
        if drive(plain, &port, "300").stdout != "end\n".repeat(CONNECTIONS) {
            println!("{limit}: too little for the program itself");
            continue;
        }
        let (server, port) = serve(under);
        assert_whole(&drive(under, &port, "1500"), limit);
        assert!(!server.output().contains("WRONG"), "{limit}: {}", server.logs());
    }
}

#[test]
fn little_address_space_is_enough() {
    as_far_as_without(&[64, 128, 400, 700, 1200].map(|megabytes: u64| format!("--as={}", megabytes << 20)));
}

#[test]
fn few_descriptors_are_enough() {
    as_far_as_without(&[40, 64, 200].map(|number| format!("--nofile={number}")));
}

#[test]
fn files_may_be_short() {
    as_far_as_without(&[0, 4096, 1 << 20, 100 << 20].map(|bytes: u64| format!("--fsize={bytes}")));
}

#[test]
fn nobody_needs_room_in_dev_shm() {
    let stage = Stage::new("shm-full", Ends::Both, None);
    let full = "mount -t tmpfs -o size=4k none /dev/shm && head -c 4096 /dev/zero >/dev/shm/full && exec \"$0\" \"$@\"";
    let within = |words: &[&str]| stage.client(&[&["unshare", "--mount", "sh", "-c", full], words].concat());
    let (_server, port) = serve(within);
    assert_whole(&drive(within, &port, "8000"), "full");
    assert!(stage.moved().both_ways, "{}", stage.last_seen());
}

/// Clocks are asked how long something took at one end, and never what time it is at the other.
#[test]
fn ends_whose_clocks_differ_by_years_are_paired() {
    let stage = Stage::new("clocks", Ends::Both, None);
    let ahead = ["unshare", "--time", "--monotonic", "100000000", "--boottime", "100000000", "--fork", "--kill-child"];
    let (_server, port) = serve(|words| stage.client(&[&ahead, words].concat()));
    assert_whole(&drive(|words| stage.client(words), &port, "8000"), "ahead");
    assert!(stage.moved().both_ways, "{}", stage.last_seen());
}

/// A group of processes that may use little memory; gone with its owner.
struct Group(PathBuf);

impl Group {
    fn new(megabytes: u64) -> Option<Self> {
        let name = format!("vmmc-test-{}", std::process::id());
        let kinds = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        kinds.iter().find_map(|(parent, limit)| {
            let group = Self(Path::new(parent).join(&name));
            fs::create_dir(&group.0).ok()?;
            fs::write(group.0.join(limit), (megabytes << 20).to_string()).ok().map(|()| group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let began = Instant::now();
        while fs::remove_dir(&self.0).is_err() && began.elapsed() < LIMIT {
            sleep(Duration::from_millis(20));
        }
    }
}

/// The rings of a connection are charged to whoever touches them. Who is ended for it is like any who is killed.
#[test]
fn an_end_whose_group_has_no_memory_harms_nobody_else() {
    let Some(group) = Group::new(24) else {
        println!("this machine lets nobody make a group with a limit of memory: not tried");
        return;
    };
    let stage = Stage::new("memory", Ends::Both, None);
    let (server, port) = serve(|words| stage.server(words));
    let enter = format!("echo $$ >{}/cgroup.procs && exec \"$0\" \"$@\"", group.0.display());
    let poor = |words: &[&str]| stage.client(&[&["sh", "-c", &enter], words].concat());
    let seen = drive(poor, &port, "3000");
    println!("the one with little memory: {} {:?}", seen.status, seen.stdout);
    assert!(!seen.stdout.contains("WRONG"), "{}", seen.stdout);
    assert_whole(&drive(|words| stage.client(words), &port, "1000"), "the next one");
    assert!(!server.output().contains("WRONG"), "{}", server.logs());
}
