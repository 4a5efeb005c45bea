//! How the tests start the command.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use vmmc_protocol::{Client, RuntimeDir};

/// The command under test.
pub const VMMC: &str = env!("CARGO_BIN_EXE_vmmc");

/// How a command ended and what it printed.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub output: String,
    pub errors: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            output: text(output.stdout),
            errors: text(output.stderr),
        }
    }
}

/// A runtime directory of a test's own. The broker that was started in it, if any, is ended with it.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The process of the broker that answers here.
    pub fn broker(&self) -> Option<u32> {
        broker_at(self.path())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        end_broker_at(self.path());
    }
}

/// The process of the broker that answers in the directory.
pub fn broker_at(directory: &Path) -> Option<u32> {
    let directory = RuntimeDir::at(directory.as_os_str().as_bytes()).expect("a short absolute path");
    Client::ping(&directory, 2000).ok().map(|status| status.pid)
}

/// Ends the broker that answers in the directory, if any.
pub fn end_broker_at(directory: &Path) {
    let pid = broker_at(directory).and_then(|pid| rustix::process::Pid::from_raw(pid as i32));
    if let Some(pid) = pid {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the broker can be ended");
    }
}

/// `vmmc` with these arguments, in an environment without settings of ours.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(VMMC);
    command.args(arguments);
    for name in
        ["LD_PRELOAD", "VMMC_LIBRARY", "VMMC_PROFILE", "VMMC_SPIN", "VMMC_STRICT", "VMMC_RUNTIME_DIR", "VMMC_DISABLE"]
    {
        command.env_remove(name);
    }
    command
}

/// Runs `vmmc` with these arguments to its end.
pub fn vmmc(arguments: &[&str]) -> Outcome {
    finish(&mut command(arguments))
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Outcome {
    command.output().expect("the command starts").into()
}

/// A library that is surely there and may be preloaded anywhere: the C library itself, which this test runs on.
pub fn harmless_library() -> PathBuf {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc");
    let path = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("/libc.so"));
    PathBuf::from(path.expect("the C library is mapped")).canonicalize().expect("it is a file")
}
