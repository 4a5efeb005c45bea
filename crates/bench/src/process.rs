//! A child process that answers in lines, with a time limit on each answer.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::WORKER;
use crate::job::{Job, Measured, Report};
use crate::system::accelerated;

/// Whether, and how, a program is started under the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enabled {
    No,
    /// With the default settings.
    Yes,
    /// With `--spin off`.
    Asleep,
}

/// The command `vmmc` that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    /// What it is started with: nothing, or Wine.
    wine: Option<PathBuf>,
    /// As the system that runs it names it.
    path: String,
}

impl Own {
    /// This executable.
    pub(crate) fn here() -> Result<Self> {
        let path = env::current_exe().context("this executable's own path")?;
        Ok(Self { wine: None, path: path.to_string_lossy().into_owned() })
    }

    /// A `vmmc.exe`, run by Wine.
    pub(crate) fn under_wine(command: &Path) -> Result<Self> {
        let command = command.canonicalize().with_context(|| command.display().to_string())?;
        let path = env::var_os("PATH").unwrap_or_default();
        let debian = ["/usr/lib/wine/wine64".into(), "/usr/lib/wine/wine".into()];
        let wine = env::split_paths(&path).map(|folder| folder.join("wine")).chain(debian).find(|file| file.is_file());
        let wine = Some(wine.context("Wine is not installed: apt-get install wine64")?);
        Ok(Self { wine, path: format!("Z:{}", command.display()) })
    }

    /// It, with these arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.wine.as_deref().unwrap_or_else(|| Path::new(&self.path)));
        if self.wine.is_some() {
            command.arg(&self.path);
            if env::var_os("WINEDEBUG").is_none() {
                command.env("WINEDEBUG", "-all");
            }
        }
        command.args(args);
        command
    }
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| {
        let word = word.to_string_lossy();
        if word.contains([' ', '"', '{']) { format!("'{word}'") } else { word.into_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A worker, ended at the latest when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Receiver<String>,
    deadline: Instant,
    /// What was typed.
    pub(crate) command: String,
    /// The worker's own process, which may be a child of `vmmc run`.
    pub(crate) pid: u32,
    /// Where it listens, if it is a server.
    pub(crate) address: String,
}

impl Enabled {
    /// How `vmmc run` is told.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::No => &[],
            Self::Yes => &["run", "--"],
            Self::Asleep => &["run", "--spin", "off", "--"],
        }
    }
}

/// How long after its own limit a worker is given up.
const GRACE: Duration = Duration::from_secs(2);

impl Worker {
    /// Starts a worker, which is this command again, and waits until it is ready.
    pub(crate) fn start(job: &Job, enabled: Enabled, own: &Own) -> Result<Self> {
        let order = serde_json::to_string(job)?;
        let (run, worker) = (enabled.words(), [WORKER, &order]);
        let again = if enabled == Enabled::No { &[][..] } else { &[own.path.as_str()] };
        let mut command = own.command(&[run, again, &worker].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", shown(&command)))?;
        let mut worker = Self {
            input: child.stdin.take(),
            lines: lines(child.stdout.take()),
            errors: lines(child.stderr.take()),
            child,
            deadline: Instant::now() + Duration::from_secs(u64::from(job.limit_seconds)) + GRACE,
            command: shown(&command),
            pid: 0,
            address: String::new(),
        };
        match worker.report()? {
            Report::Ready { pid, address } => (worker.pid, worker.address) = (pid, address),
            Report::Done(_) => bail!("the worker was done before it began"),
        }
        // Under Wine the library's absence shows in the share of the data that went through memory.
        if enabled != Enabled::No && own.wine.is_none() && !accelerated::library_loaded(worker.pid) {
            let why = worker.complaint().unwrap_or_else(|| "the library is not in the program".to_owned());
            bail!("unavailable: {why}");
        }
        Ok(worker)
    }

    /// Lets it go on: begin, or end.
    pub(crate) fn go_on(&mut self) {
        // A worker that is gone has said so in its report, or will by saying none.
        let _ = self.input.as_mut().map(|input| input.write_all(b"\n"));
    }

    /// Waits for what it has measured.
    pub(crate) fn measured(&mut self) -> Result<Measured> {
        match self.report()? {
            Report::Done(measured) => Ok(measured),
            Report::Ready { .. } => bail!("the worker began twice"),
        }
    }

    fn report(&mut self) -> Result<Report> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => serde_json::from_str(&line).with_context(|| format!("unexpected answer: {line}")),
            Err(RecvTimeoutError::Timeout) => bail!("no answer in time"),
            Err(RecvTimeoutError::Disconnected) => Err(self.why_it_ended()),
        }
    }

    /// Its first line on standard error, without what a backtrace may add. It is not read to its end: a broker that it
    /// started may hold that open.
    fn complaint(&self) -> Option<String> {
        let lines = || self.errors.recv_timeout(Duration::from_millis(100)).ok();
        let line = std::iter::from_fn(lines).find(|line| !line.trim().is_empty())?;
        Some(line.trim().trim_start_matches("vmmc: ").trim_start_matches("Error: ").to_owned())
    }

    fn why_it_ended(&mut self) -> anyhow::Error {
        let complaint = self.complaint();
        let _ = self.child.kill();
        match (complaint, self.child.wait()) {
            (Some(line), _) => anyhow!(line),
            (None, Ok(status)) => anyhow!("it ended by itself, {status}"),
            (None, Err(error)) => error.into(),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.input.take());
        let patience = Instant::now() + Duration::from_millis(500);
        while Instant::now() < patience {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines on a thread of its own; the receiver is disconnected at their end.
fn lines(source: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(source) = source {
        thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}
