//! Where a scenario plays: a directory, a network and a prefix of its own; two folders for programs, one with the DLL.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use vmmc_tests::{Ends, Launch, Program};

use crate::namespace::Namespace;
use crate::wine;

/// Without a network of its own, a stage has to have the machine's to itself.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The folder whose programs find the DLL beside them, and the one whose do not.
const FOLDERS: [&str; 2] = ["with", "without"];
/// What `cargo xtask windows` builds: the DLL, and the command that it starts as its broker.
const PRODUCTS: [&str; 2] = ["wsock32.dll", "vmmc.exe"];
/// Runs a program and ends as it ends. Wine's server kills a process that has not ended half a second after it has begun to, which
/// happens on a busy machine: its status is lost then, and what it has said must do.
const UNLESS_WINE_KILLED_IT: &str = r#""$@"; status=$?; [ $status -eq 137 ] || exit $status"#;
/// How long a server may take to listen.
const LISTEN_LIMIT: Duration = Duration::from_secs(60);
/// How long a busy connection may take to be seen on the VMMC road.
const ROAD_LIMIT: Duration = Duration::from_secs(60);
/// How often we look for that; each time a program starts.
const ROAD_LOOK_EVERY: Duration = Duration::from_millis(300);

/// A scenario's surroundings. On failure its directory stays and its name is printed.
#[derive(Debug)]
pub struct Stage {
    ends: Ends,
    started: Cell<u32>,
    namespace: Option<Namespace>,
    directory: Option<TempDir>,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Stage {
    /// A stage for a scenario of this name, with these programs and libraries in both folders.
    ///
    /// # Panics
    ///
    /// If the machine or the build lacks something.
    #[must_use]
    pub fn new(name: &str, ends: Ends, programs: &[&Path]) -> Self {
        let namespace = Namespace::new();
        let alone = || ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = namespace.is_none().then(alone);
        let directory = tempfile::Builder::new().prefix(&format!("{name}-{ends:?}-")).tempdir_in(wine::room("stages"));
        let directory = Some(directory.expect("a directory for a stage"));
        let stage = Self { ends, started: Cell::new(0), namespace, directory, _turn: turn };
        wine::new_prefix(&stage.path("prefix"));
        wine::start(&stage.path("prefix"), &stage.enter());
        for folder in FOLDERS {
            fs::create_dir(stage.path(folder)).expect("a folder for programs");
            programs.iter().for_each(|program| stage.add(folder, program));
        }
        if ends != Ends::Neither {
            PRODUCTS.iter().for_each(|file| stage.add(FOLDERS[0], &built(file)));
        }
        stage
    }

    fn add(&self, folder: &str, file: &Path) {
        let name = file.file_name().expect("a file");
        let copied = fs::copy(file, self.path(folder).join(name));
        copied.unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask windows` builds it", file.display()));
    }

    /// Which ends have the DLL.
    #[must_use]
    pub fn ends(&self) -> Ends {
        self.ends
    }

    /// The scenario's directory.
    ///
    /// # Panics
    ///
    /// Never: it is there until the stage ends.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.as_ref().expect("a directory").path()
    }

    /// A name in the scenario's directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// Writes a file of the scenario.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    #[must_use]
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file to write");
        path
    }

    /// A program at the end that listens, with the DLL if the stage says so.
    #[must_use]
    pub fn server(&self, words: &[&str]) -> Launch {
        self.program(self.ends.server(), words)
    }

    /// A program at the end that connects, with the DLL if the stage says so.
    #[must_use]
    pub fn client(&self, words: &[&str]) -> Launch {
        self.program(self.ends.client(), words)
    }

    /// `vmmc.exe`, started in the folder whose programs do not find the DLL beside them.
    #[must_use]
    pub fn vmmc(&self, words: &[&str]) -> Launch {
        self.program(false, &[&["../with/vmmc.exe"], words].concat())
    }

    /// The words that put a command into the stage's network.
    fn enter(&self) -> Vec<String> {
        self.namespace.as_ref().map(Namespace::enter).unwrap_or_default()
    }

    /// A program of this system, outside of Wine, in the stage's network and directory. It has the environment in which Wine
    /// runs programs of the stage, should it start one.
    #[must_use]
    pub fn native(&self, words: &[&str]) -> Launch {
        let launch = self.launch(words.iter().map(|word| (*word).to_owned()), "native");
        wine::environment(launch.directory(self.directory()), &self.path("prefix"))
    }

    /// Where a file lies beside which the DLL lies.
    #[must_use]
    pub fn beside_dll(&self, file: &str) -> PathBuf {
        self.path(FOLDERS[0]).join(file)
    }

    /// A program of one of the folders, started in it.
    fn program(&self, with: bool, words: &[&str]) -> Launch {
        let folder = self.path(FOLDERS[usize::from(!with)]);
        let (program, arguments) = words.split_first().expect("a program");
        let wine = [wine::WINE.to_owned(), folder.join(program).to_string_lossy().into_owned()];
        let shell = ["sh", "-c", UNLESS_WINE_KILLED_IT, "sh"].map(str::to_owned);
        let words = shell.into_iter().chain(wine).chain(arguments.iter().map(|argument| (*argument).to_owned()));
        let launch = self.launch(words, if with { "with" } else { "without" });
        wine::environment(launch.directory(&folder), &self.path("prefix"))
    }

    /// A command in the stage's network, whose output goes to a file of this kind.
    fn launch(&self, words: impl Iterator<Item = String>, kind: &str) -> Launch {
        let all: Vec<OsString> = self.enter().into_iter().chain(words).map(OsString::from).collect();
        let number = self.started.get();
        self.started.set(number + 1);
        Launch::new(&all, self.path(&format!("log-{number}.{kind}.")))
    }

    /// Waits until `vmmc.exe status` shows a connection whose data moved over VMMC in both directions; at once if not both ends
    /// have the DLL.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub fn await_both_ways(&self) {
        if self.ends != Ends::Both {
            return;
        }
        let began = Instant::now();
        loop {
            let said = self.vmmc(&["status", "--json"]).run();
            let status: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}:\n{said}"));
            if connections(&status).any(|connection| moved(connection) == [true, true]) {
                return;
            }
            assert!(began.elapsed() < ROAD_LIMIT, "nothing moved over VMMC both ways:\n{said}");
            sleep(ROAD_LOOK_EVERY);
        }
    }

    /// Waits until somebody listens on a port of the stage's network.
    ///
    /// # Panics
    ///
    /// If the server ends before, or takes too long.
    pub fn await_listener(&self, server: &mut Program, port: u16) {
        let began = Instant::now();
        while !self.listens(server.pid(), port) {
            assert!(server.is_alive(), "the server ended before it listened:\n{}", server.logs());
            assert!(began.elapsed() < LISTEN_LIMIT, "nobody listens on port {port}:\n{}", server.logs());
            sleep(Duration::from_millis(20));
        }
    }

    /// A socket listens on this port in the network of a process, as the kernel tells it.
    fn listens(&self, pid: u32, port: u16) -> bool {
        let (address, listening) = (format!(":{port:04X}"), "0A");
        ["tcp", "tcp6"].iter().any(|table| {
            let table = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|words| {
                words.get(1).is_some_and(|local| local.ends_with(&address)) && words.get(3) == Some(&listening)
            })
        })
    }

    /// Which programs must have taken the DLL and which must not: each program's own log says which `wsock32.dll` it got.
    ///
    /// # Panics
    ///
    /// If one took the wrong one.
    pub fn check_loaded(&self) {
        for entry in fs::read_dir(self.directory()).expect("the stage's directory").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".err") || name.contains(".native.") {
                continue;
            }
            let log = fs::read(entry.path()).unwrap_or_default();
            let log = String::from_utf8_lossy(&log).to_lowercase();
            let native = log.lines().any(|line| line.contains("wsock32.dll\"") && line.contains(": native"));
            let with = name.contains(".with.");
            assert_eq!(native, with, "{name}: a program was to have the DLL: {with}, and had it: {native}\n{log}");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        wine::end(&self.path("prefix"));
        self.namespace = None;
        if let Some(directory) = self.directory.take().filter(|_| panicking()) {
            let _ = fs::remove_dir_all(directory.path().join("prefix"));
            eprintln!("what the programs wrote stays in {}", directory.keep().display());
        }
    }
}

/// Every connection that `vmmc status` shows.
fn connections(status: &Value) -> impl Iterator<Item = &Value> {
    let sockets = list(&status["families"]).flat_map(|family| list(&family["sockets"]));
    sockets.filter(|socket| socket["kind"] == "connection")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether bytes have moved over VMMC, outgoing and incoming.
fn moved(connection: &Value) -> [bool; 2] {
    ["outgoing", "incoming"].map(|way| connection[way]["vmmc_bytes"].as_u64().unwrap_or(0) > 0)
}

/// A file that has been built for Windows.
#[must_use]
pub fn built(file: &str) -> PathBuf {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/windows/x86_64-win7-windows-gnu/release");
    std::env::var_os("VMMC_WINDOWS_BIN").map_or(usual, PathBuf::from).join(file)
}
