//! A child process that answers in lines, with a time limit on each answer.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::WORKER;
use crate::job::{Job, Measured, Report};

/// Whether, and how, a program is started under the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enabled {
    No,
    /// With the default settings.
    Yes,
    /// With `--spin off`.
    Asleep,
}

/// A worker that dies must not end this process when it is spoken to. Children start with the signal's default.
pub(crate) fn survive_broken_pipes() {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// The command that starts `program` with `args`, under `vmmc run` if it is to be enabled.
pub(crate) fn command(enabled: Enabled, program: &str, args: &[&str]) -> Result<Command> {
    let settings: &[&str] = match enabled {
        Enabled::No => {
            let mut command = Command::new(program);
            command.args(args);
            return Ok(command);
        }
        Enabled::Yes => &["run", "--"],
        Enabled::Asleep => &["run", "--spin", "off", "--"],
    };
    let mut command = Command::new(env::current_exe().context("this executable's own path")?);
    command.args(settings).arg(program).args(args);
    Ok(command)
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

/// How long after its own limit a worker is given up.
const GRACE: Duration = Duration::from_secs(2);

impl Worker {
    /// Starts a worker and waits until it is ready.
    pub(crate) fn start(job: &Job, enabled: Enabled) -> Result<Self> {
        let program = env::current_exe().context("this executable's own path")?;
        let order = serde_json::to_string(job)?;
        let mut command = command(enabled, &program.to_string_lossy(), &[WORKER, &order])?;
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
    pub(crate) fn complaint(&self) -> Option<String> {
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
