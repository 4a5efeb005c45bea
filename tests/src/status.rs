//! What `vmmc status --json` shows of the connections of this test's programs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use serde_json::Value;

use crate::program::family;

/// How often the sampler looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What was seen to move over VMMC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// One connection moved data in a direction.
    pub one_way: bool,
    /// One connection moved data in both directions.
    pub both_ways: bool,
}

/// One look at the connections.
#[derive(Clone, Debug)]
pub struct Status {
    connections: Vec<Value>,
}

impl Status {
    /// Reads the command's output, and keeps what belongs to this process's descendants.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        let value: Value =
            serde_json::from_str(json).unwrap_or_else(|error| panic!("vmmc status --json: {error}\n{json}"));
        let descendants = family(std::process::id());
        let is_ours = |process: &&Value| descendants.iter().any(|pid| process["pid"] == *pid);
        let families =
            list(&value["families"]).filter(|family| list(&family["processes"]).any(|process| is_ours(&process)));
        let sockets = families.flat_map(|family| list(&family["sockets"]));
        Self { connections: sockets.filter(|socket| socket["kind"] == "connection").cloned().collect() }
    }

    /// What has moved over VMMC on the connections that are open now.
    #[must_use]
    pub fn moved(&self) -> Moved {
        let mut moved = Moved::default();
        for connection in &self.connections {
            let ways = ["outgoing", "incoming"].map(|way| vmmc_bytes(&connection[way]) > 0);
            moved.one_way |= ways.contains(&true);
            moved.both_ways |= ways == [true, true];
        }
        moved
    }

    /// How many connections have moved data over VMMC in both directions.
    #[must_use]
    pub fn both_ways(&self) -> usize {
        self.connections.iter().filter(|c| vmmc_bytes(&c["outgoing"]) > 0 && vmmc_bytes(&c["incoming"]) > 0).count()
    }

    /// The reasons for which directions are on the kernel road.
    #[must_use]
    pub fn reasons(&self) -> BTreeSet<String> {
        let ways = self.connections.iter().flat_map(|connection| ["outgoing", "incoming"].map(|way| &connection[way]));
        ways.filter_map(|way| Some(way["reason"].as_str()?.to_owned())).collect()
    }

    /// The first connections, a line each: what a failure shows.
    #[must_use]
    pub fn describe(&self) -> String {
        let way = |way: &Value| {
            format!("{} {} vmmc:{} kernel:{}", way["road"], way["reason"], way["vmmc_bytes"], way["kernel_bytes"])
        };
        let line = |c: &Value| {
            format!("{} > {} out {} in {}", c["local"], c["remote"], way(&c["outgoing"]), way(&c["incoming"]))
        };
        let lines: Vec<String> = self.connections.iter().take(12).map(line).collect();
        format!("{} connections\n{}", self.connections.len(), lines.join("\n"))
    }
}

fn vmmc_bytes(direction: &Value) -> u64 {
    direction["vmmc_bytes"].as_u64().unwrap_or(0)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What the sampler has seen so far.
#[derive(Debug, Default)]
struct Seen {
    moved: Moved,
    looks: u32,
    last: String,
}

/// A thread that looks every now and then while a scenario plays, because a connection that has ended shows nothing.
#[derive(Debug)]
pub(crate) struct Sampler {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Starts looking, with `vmmc status` as the stage spells it.
    pub(crate) fn start(words: Vec<OsString>, user: Option<(u32, u32)>) -> Self {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (sees, stops) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = spawn(move || {
            while !stops.load(Ordering::Relaxed) {
                if let Some(status) = look(&words, user) {
                    let moved = status.moved();
                    let mut seen = sees.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.looks += 1;
                    seen.moved.one_way |= moved.one_way;
                    seen.moved.both_ways |= moved.both_ways;
                    if !status.connections.is_empty() {
                        seen.last = status.describe();
                    }
                }
                sleep(LOOK_EVERY);
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// What it has seen so far.
    pub(crate) fn moved(&self) -> Moved {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).moved
    }

    /// The last connections that it saw.
    pub(crate) fn last(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{} looks, the last that showed connections: {}", seen.looks, seen.last)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One look; none if the command failed.
fn look(words: &[OsString], user: Option<(u32, u32)>) -> Option<Status> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).arg("--json").stdin(Stdio::null()).stderr(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(Status::parse(&String::from_utf8_lossy(&output.stdout)))
}
