//! Where a scenario plays: a directory, a broker and a runtime directory of its own, and the programs that it starts.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::signal;
use crate::status::{Sampler, Status};
use crate::{Ends, Launch, Moved, Program, find};

/// Scenarios measure and wait: one plays at a time in a test program.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How long the broker may take to listen.
const BROKER_LIMIT: Duration = Duration::from_secs(60);

/// A scenario's surroundings. On failure its directory stays and its name is printed.
#[derive(Debug)]
pub struct Stage {
    ends: Ends,
    user: Option<(u32, u32)>,
    directory: Option<TempDir>,
    started: Cell<u32>,
    sampler: Option<Sampler>,
    broker: Option<Program>,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    /// A stage for a scenario of this name; programs run as `user` if we are root and one is named.
    ///
    /// # Panics
    ///
    /// If the machine or the build lacks something.
    #[must_use]
    pub fn new(name: &str, ends: Ends, user: Option<&str>) -> Self {
        let mut stage = Self::bare(name, ends, user);
        if ends != Ends::Neither {
            stage.install();
            stage.start_broker(&[]);
            stage.sampler = Some(Sampler::start(stage.command("status"), stage.user));
        }
        stage
    }

    /// A stage of a broker for all users, that goes by this policy; both ends are enabled. Needs root.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new), and if we are not root.
    #[must_use]
    pub fn for_all_users(name: &str, policy: &str) -> Self {
        assert_eq!(id(&["-u"]), 0, "only root can be several users");
        let mut stage = Self::bare(name, Ends::Both, None);
        stage.install();
        let policy = stage.write("policy.toml", policy);
        stage.start_broker(&["--system".into(), "--policy".into(), policy.into()]);
        stage.sampler = Some(Sampler::start(stage.command("status"), None));
        stage
    }

    /// Without command, library and broker.
    fn bare(name: &str, ends: Ends, user: Option<&str>) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let prefix = format!("vmmc-{name}-{ends:?}-");
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a temporary directory");
        let user = user.filter(|_| id(&["-u"]) == 0).map(|name| (id(&["-u", name]), id(&["-g", name])));
        let started = Cell::new(0);
        let stage = Self { ends, user, directory: Some(directory), started, sampler: None, broker: None, _turn: turn };
        fs::set_permissions(stage.directory(), fs::Permissions::from_mode(0o755)).expect("a directory to enter");
        stage.own(stage.directory());
        stage
    }

    /// Puts the command and the library where every user may read them.
    fn install(&self) {
        let built = built_command();
        let from = built.parent().expect("a directory");
        // By another process: while we held them open for writing, a child forked meanwhile by another thread would hold them
        // too, and what is open for writing cannot be executed.
        let files = ["vmmc", "libvmmc.so"].map(|name| from.join(name));
        let copied =
            Command::new("cp").args(&files).arg(self.directory()).status().is_ok_and(|status| status.success());
        assert!(copied, "these could not be copied; are they built? {files:?}");
        fs::create_dir(self.path("runtime")).expect("a runtime directory");
        fs::set_permissions(self.path("runtime"), fs::Permissions::from_mode(0o700)).expect("a private directory");
        self.own(&self.path("runtime"));
    }

    /// Starts the stage's broker and waits for it to listen.
    fn start_broker(&mut self, options: &[OsString]) {
        let socket = self.path("runtime/broker.sock");
        let broker = self.launch([self.command("broker").as_slice(), options].concat());
        let mut broker = broker.limit(Duration::from_secs(3600)).start();
        let began = Instant::now();
        while !socket.exists() {
            assert!(
                broker.is_alive() && began.elapsed() < BROKER_LIMIT,
                "the broker does not listen:\n{}",
                broker.logs()
            );
            sleep(Duration::from_millis(10));
        }
        self.broker = Some(broker);
    }

    /// Kills the broker (SIGKILL). The next `vmmc run` starts another one by itself.
    pub fn kill_broker(&mut self) {
        self.broker = None;
    }

    /// Which ends are enabled.
    #[must_use]
    pub fn ends(&self) -> Ends {
        self.ends
    }

    /// The scenario's directory, in which its programs start.
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

    /// Writes a file of the scenario, for the user who runs it.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    #[must_use]
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file to write");
        self.own(&path);
        path
    }

    /// A program at the end that listens, enabled if the stage says so.
    #[must_use]
    pub fn server(&self, words: &[&str]) -> Launch {
        self.program(self.ends.server(), words)
    }

    /// A program at the end that connects, enabled if the stage says so.
    #[must_use]
    pub fn client(&self, words: &[&str]) -> Launch {
        self.program(self.ends.client(), words)
    }

    /// A program that is never enabled.
    #[must_use]
    pub fn plain(&self, words: &[&str]) -> Launch {
        self.program(false, words)
    }

    fn program(&self, enabled: bool, words: &[&str]) -> Launch {
        let (program, arguments) = words.split_first().expect("a program");
        let program = if program.contains('/') { program.into() } else { find(program) };
        let mut all = if enabled { self.command("run") } else { Vec::new() };
        if enabled {
            all.push("--".into());
        }
        all.push(program.into());
        all.extend(arguments.iter().map(OsString::from));
        self.launch(all)
    }

    /// `vmmc` with a subcommand.
    fn command(&self, subcommand: &str) -> Vec<OsString> {
        vec![self.path("vmmc").into(), subcommand.into()]
    }

    fn launch(&self, words: Vec<OsString>) -> Launch {
        let number = self.started.get();
        self.started.set(number + 1);
        let launch = Launch::new(&words, self.path(&format!("log-{number}.")))
            .directory(self.directory())
            .env("VMMC_RUNTIME_DIR", self.path("runtime"))
            .env("LC_ALL", "C.UTF-8");
        match self.user {
            Some(user) => launch.user(user),
            None => launch,
        }
    }

    /// What `vmmc status --json` says now of this stage's programs.
    ///
    /// # Panics
    ///
    /// If there is no library on this stage, or the command fails.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut words = self.command("status");
        words.push("--json".into());
        Status::parse(&self.launch(words).run())
    }

    /// What has moved over VMMC since the stage was set up, as far as a glance now and then could see.
    #[must_use]
    pub fn moved(&self) -> Moved {
        self.sampler.as_ref().map(Sampler::moved).unwrap_or_default()
    }

    /// Looks no more now and then what has moved: with thousands of connections that takes more than they do.
    pub fn stop_watching(&mut self) {
        self.sampler = None;
    }

    /// The process of the stage's broker, while it has one.
    #[must_use]
    pub fn broker(&self) -> Option<u32> {
        self.broker.as_ref().map(Program::pid)
    }

    /// The connections that were seen last, as a failure shows them.
    #[must_use]
    pub fn last_seen(&self) -> String {
        self.sampler.as_ref().map(Sampler::last).unwrap_or_default()
    }

    /// Waits until `vmmc status` has shown a connection whose data moved over VMMC in both directions; at once if not both ends
    /// are enabled.
    ///
    /// # Panics
    ///
    /// If it takes longer than `limit`.
    pub fn await_both_ways(&self, limit: Duration) {
        let began = Instant::now();
        while self.ends == Ends::Both && !self.moved().both_ways {
            assert!(
                began.elapsed() < limit,
                "nothing moved over VMMC both ways within {limit:?}:\n{}",
                self.last_seen()
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Gives a path to the user as whom programs run.
    fn own(&self, path: &Path) {
        if let Some((uid, gid)) = self.user {
            chown(path, Some(uid), Some(gid)).expect("a new owner");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.sampler = None;
        self.broker = None;
        signal("KILL", &started_as(&self.path("vmmc")));
        if let Some(directory) = self.directory.take().filter(|_| panicking()) {
            eprintln!("what the programs wrote stays in {}", directory.keep().display());
        }
    }
}

/// Processes whose program is named so: what `vmmc` has left behind, such as a broker started on demand.
fn started_as(program: &Path) -> Vec<u32> {
    let is_it = |process: &Path| {
        fs::read(process.join("cmdline")).is_ok_and(|line| line.starts_with(program.as_os_str().as_bytes()))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().filter(|process| is_it(&process.path()));
    processes.filter_map(|process| process.file_name().to_str()?.parse().ok()).collect()
}

/// The `vmmc` under test, with `libvmmc.so` beside it.
fn built_command() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/vmmc");
    std::env::var_os("VMMC_BIN").map_or(built, PathBuf::from)
}

/// What `id` prints.
fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_else(|_| panic!("there is no user {arguments:?}"))
}
