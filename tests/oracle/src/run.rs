//! One run of a program: by the kernel alone, or under `vmmc run`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use vmmc_tests::{Ends, Launch, Stage};

use crate::program::Program;

/// A run under `vmmc run` in which nothing happens for so long is stuck.
const VMMC_PATIENCE: Duration = Duration::from_secs(12);
/// The interpreter watches over itself; this is for an interpreter that does not.
const RUN_LIMIT: Duration = Duration::from_secs(180);

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// A line for each step: its number, its text and its result.
    pub lines: Vec<String>,
    /// It came to its end, and no process was killed.
    pub ended: bool,
    /// Bytes sent that the kernel has not seen.
    pub by_ring: u64,
}

impl Outcome {
    fn parse(output: &str) -> Self {
        let (notes, lines): (Vec<&str>, Vec<&str>) =
            output.lines().partition(|line| line.starts_with('#') || *line == "STUCK");
        let by_ring = notes.iter().find_map(|note| note.split(", ").nth(1)?.split(' ').next()?.parse().ok());
        let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
        lines.extend(notes.iter().filter(|note| note.contains("killed")).map(ToString::to_string));
        Self { lines, ended: notes.contains(&"# ended"), by_ring: by_ring.unwrap_or(0) }
    }
}

/// Where programs are run: a broker, a directory, the interpreter.
#[derive(Debug)]
pub struct Theatre {
    directory: PathBuf,
    interpreter: PathBuf,
    started: AtomicU32,
}

impl Theatre {
    /// Compiles the interpreter; `stage` has the broker and must outlive this.
    ///
    /// # Panics
    ///
    /// If it does not compile.
    #[must_use]
    pub fn new(stage: &Stage) -> Self {
        assert_eq!(stage.ends(), Ends::Both, "there is nothing to compare without the library");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("interpreter");
        let parts = fs::read_dir(sources).expect("the interpreter").flatten().map(|entry| entry.path());
        let parts = parts.filter(|path| path.extension().is_some_and(|end| end == "c"));
        let interpreter = stage.path("interpreter");
        let mut gcc = Command::new("gcc");
        gcc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(&interpreter).args(parts);
        let done = gcc.output().expect("gcc runs; `cargo xtask setup` installs it");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Self { directory: stage.directory().to_owned(), interpreter, started: AtomicU32::new(0) }
    }

    /// What the kernel alone makes of it; a run in which nothing happens for so long is stuck.
    #[must_use]
    pub fn plainly(&self, program: &Program, patience: Duration) -> Outcome {
        self.run(program, &[], patience)
    }

    /// What becomes of it under `vmmc run`.
    #[must_use]
    pub fn accelerated(&self, program: &Program) -> Outcome {
        let mut words = vec![self.directory.join("vmmc").into(), OsString::from("run")];
        words.extend(program.settings.run.iter().map(OsString::from));
        words.push("--".into());
        self.run(program, &words, VMMC_PATIENCE)
    }

    fn run(&self, program: &Program, before: &[OsString], patience: Duration) -> Outcome {
        let name = format!("program-{}", self.started.fetch_add(1, Ordering::Relaxed));
        let file = self.directory.join(&name);
        fs::write(&file, program.to_string()).expect("a file to write");
        let mut words = before.to_vec();
        words.extend([self.interpreter.clone().into(), file.clone().into(), patience.as_millis().to_string().into()]);
        let log = self.directory.join(format!("{name}.log"));
        let finished = Launch::new(&words, log.clone())
            .env("VMMC_RUNTIME_DIR", self.directory.join("runtime"))
            .limit(RUN_LIMIT)
            .finish();
        let mut outcome = Outcome::parse(&finished.stdout);
        outcome.lines.extend(finished.stderr.lines().map(|line| format!("said: {line}")));
        for leftover in [file, log.with_extension("out"), log.with_extension("err")] {
            let _ = fs::remove_file(leftover);
        }
        outcome
    }
}
