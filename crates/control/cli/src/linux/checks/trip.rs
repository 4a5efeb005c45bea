//! The trial: two plain programs under `vmmc run`, until both directions of their connection are on VMMC.

use crate::doctor::check::Check;
use crate::status::model::{Report, Road, Socket};
use crate::system::library;
use crate::system::tables;
use crate::text::count;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const NAME: &str = "trial";
/// How long a program may take to start, and both directions to move.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the status is looked at.
const PERIOD: Duration = Duration::from_millis(20);

/// Runs the trial.
pub(super) fn both_directions() -> Check {
    match library::find().and_then(|_| converse()) {
        Ok(check) => check,
        Err(why) => Check::fail(NAME, why, "Mend what failed above first."),
    }
}

fn converse() -> Result<Check, String> {
    let mut listener = Peer::start(&["listen"])?;
    let port = listener.line()?;
    let mut connector = Peer::start(&["connect", &port])?;
    let begun = Instant::now();
    let pids = [connector.pid(), listener.pid()];
    let verdict = loop {
        let report = tables::all()?;
        let moved = pids.iter().all(|pid| connection(&report, *pid).is_some_and(Socket::is_accelerated));
        if moved || begun.elapsed() > PATIENCE {
            break if moved { Ok(begun.elapsed()) } else { Err(explain(&report, pids)) };
        }
        connector.check_alive()?;
        std::thread::sleep(PERIOD);
    };
    connector.end_input();
    let trips: u64 = connector.line()?.parse().map_err(|_| "the connecting end printed no number".to_owned())?;
    Ok(match verdict {
        Ok(after) => Check::ok(
            NAME,
            format!("both directions moved to VMMC within {} ms; {} round trips", after.as_millis(), count(trips)),
        ),
        Err((why, advice)) => Check::fail(NAME, format!("{} round trips, but {why}", count(trips)), advice),
    })
}

/// The connection in the process's table.
fn connection(report: &Report, pid: i32) -> Option<&Socket> {
    let family = report.families.iter().find(|family| family.processes.iter().any(|process| process.pid == pid))?;
    family.table.connections().next()
}

/// Which end did not move and why, and what to do.
fn explain(report: &Report, pids: [i32; 2]) -> (String, String) {
    for (pid, end) in pids.into_iter().zip(["connecting", "listening"]) {
        let Some(connection) = connection(report, pid) else {
            return (
                format!("the {end} end has no table of sockets with the connection in it"),
                "See what is said about the library above.".to_owned(),
            );
        };
        for (direction, way) in connection.directions().zip(["outgoing", "incoming"]) {
            if direction.road != Road::Vmmc {
                let (code, sentence, advice) = direction.reason.map_or(("none given", "", ""), |reason| {
                    let row = reason.row();
                    (row.code, row.sentence, row.advice)
                });
                let advice = if advice.is_empty() { "See `vmmc status` while programs run." } else { advice };
                return (
                    format!("the {end} end's {way} direction stays on the kernel road ({code}): {sentence}"),
                    advice.to_owned(),
                );
            }
        }
    }
    ("the directions moved only at the last moment".to_owned(), "Try again on a quieter machine.".to_owned())
}

/// One end of the trial; it is ended when this is dropped.
#[derive(Debug)]
struct Peer {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Peer {
    /// Starts `vmmc run -- vmmc selftest-peer ROLE...`; since `run` becomes the command, the child is the peer.
    fn start(role: &[&str]) -> Result<Self, String> {
        let command =
            std::env::current_exe().map_err(|error| format!("the command's own place is unknown: {error}"))?;
        let mut child = Command::new(&command)
            .args(["run", "--quiet", "--"])
            .arg(&command)
            .arg("selftest-peer")
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", command.display()))?;
        let (sender, lines) = mpsc::channel();
        let output = child.stdout.take();
        std::thread::spawn(move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok) {
                // The receiver has gone once the trial is over.
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, lines })
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(i32::MAX)
    }

    /// The next line that the peer prints.
    fn line(&mut self) -> Result<String, String> {
        self.lines.recv_timeout(PATIENCE).map_err(|_| self.complaint("said nothing"))
    }

    fn check_alive(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(self.complaint("ended early")),
        }
    }

    /// Ends the peer, and tells what it wrote on its standard error.
    fn complaint(&mut self, what: &str) -> String {
        let _ = self.child.kill();
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            // What cannot be read is not told.
            let _ = errors.read_to_string(&mut said);
        }
        format!("a program under `vmmc run` {what}: {}", said.trim())
    }

    /// Closes the peer's standard input.
    fn end_input(&mut self) {
        self.child.stdin = None;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
