//! A program under a watchdog: its output in files, its life bounded, its family ended with it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a program may take if nothing else was said.
const DEFAULT_LIMIT: Duration = Duration::from_secs(300);
/// How often we look whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How much of a log a failure shows.
const LOG_BYTES_SHOWN: usize = 4000;

/// Where a program stands: the system's own first, then the path, then where Debian keeps PostgreSQL's.
///
/// # Panics
///
/// If it is nowhere.
#[must_use]
pub fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let postgres =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    let found = ["/usr/bin".into(), "/usr/sbin".into()]
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(postgres)
        .map(|directory: PathBuf| directory.join(program))
        .find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| panic!("{program} is not installed; `cargo xtask setup` does it"))
}

/// A program about to be started.
#[derive(Debug)]
pub struct Launch {
    command: Command,
    log: PathBuf,
    limit: Duration,
}

impl Launch {
    /// `words` are the program and its arguments; its output goes to files that begin with `log`.
    ///
    /// # Panics
    ///
    /// If there are no words, or the log cannot be written.
    #[must_use]
    pub fn new(words: &[OsString], log: PathBuf) -> Self {
        let (program, arguments) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        let file = |end: &str| File::create(log.with_extension(end)).expect("a log file");
        command.args(arguments).stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        Self { command, log, limit: DEFAULT_LIMIT }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Takes an environment variable away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Runs in this directory.
    #[must_use]
    pub fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Runs as this user and group.
    #[must_use]
    pub fn user(mut self, (uid, gid): (u32, u32)) -> Self {
        self.command.uid(uid).gid(gid);
        self
    }

    /// Reads standard input from a file.
    ///
    /// # Panics
    ///
    /// If the file cannot be read.
    #[must_use]
    pub fn input(mut self, file: &Path) -> Self {
        self.command.stdin(File::open(file).expect("a file to read"));
        self
    }

    /// Ends it after so long.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut self) -> Program {
        let child = self.command.spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.command));
        Program { child, log: self.log, deadline: Instant::now() + self.limit, ended: None }
    }

    /// Starts it and waits for it to end, however that be.
    #[must_use]
    pub fn finish(self) -> Finished {
        self.start().finish()
    }

    /// Starts it, waits for it to end well, and returns its standard output.
    ///
    /// # Panics
    ///
    /// If it ends otherwise.
    #[must_use]
    pub fn run(self) -> String {
        let what = format!("{:?}", self.command);
        let finished = self.finish();
        assert!(
            finished.status.success(),
            "{what}: {}\n{}\n{}",
            finished.status,
            tail(&finished.stdout),
            tail(&finished.stderr)
        );
        finished.stdout
    }
}

/// A program that has been started; it and its children end with this value.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
    deadline: Instant,
    ended: Option<ExitStatus>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Program {
    /// Its process; `vmmc run` becomes the program that it starts.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// It and every living descendant of it.
    #[must_use]
    pub fn family(&self) -> Vec<u32> {
        family(self.pid())
    }

    /// It has not ended yet.
    pub fn is_alive(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended.is_none()
    }

    /// It has ended, whether or not that has been looked at.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        self.ended.is_some() || stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it takes longer than it was given.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        while self.is_alive() {
            if Instant::now() > self.deadline {
                let logs = self.logs();
                self.kill();
                panic!("{} took too long; it wrote:\n{logs}", self.log.display());
            }
            sleep(LOOK_EVERY);
        }
        let status = self.ended.expect("it has ended");
        Finished {
            status,
            stdout: read(&self.log.with_extension("out")),
            stderr: read(&self.log.with_extension("err")),
        }
    }

    /// Kills it and all of its children, at once and unasked (SIGKILL).
    pub fn kill(&mut self) {
        // Of a process that has been waited for, the number may be another's by now.
        if self.is_alive() {
            let mut victims = family(self.pid());
            victims.retain(|pid| *pid != self.pid());
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
            signal("KILL", &victims);
        }
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn terminate(mut self) {
        signal("TERM", &[self.pid()]);
        self.deadline = Instant::now() + DEFAULT_LIMIT;
        let _ = self.finish();
    }

    /// The ends of what it has written so far.
    #[must_use]
    pub fn logs(&self) -> String {
        ["out", "err"].map(|end| tail(&read(&self.log.with_extension(end))).to_owned()).join("\n")
    }

    /// All that it has written to standard output so far.
    #[must_use]
    pub fn output(&self) -> String {
        read(&self.log.with_extension("out"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to processes by their numbers.
pub(crate) fn signal(name: &str, pids: &[u32]) {
    if !pids.is_empty() {
        let numbers = pids.iter().map(u32::to_string);
        let _ = Command::new("kill").arg(format!("-{name}")).args(numbers).stderr(Stdio::null()).status();
    }
}

/// A process and every living descendant of it.
pub(crate) fn family(ancestor: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect();
    let mut family = vec![ancestor];
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        family.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}

/// The end of a text, from a character's beginning.
fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(LOG_BYTES_SHOWN);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}
