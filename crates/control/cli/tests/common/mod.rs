//! How the tests start the command.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

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
        Self { code: output.status.code(), signal: output.status.signal(), output: text(output.stdout), errors: text(output.stderr) }
    }
}

/// `vmmc` with these arguments, in an environment without settings of ours.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(VMMC);
    command.args(arguments);
    for name in ["LD_PRELOAD", "VMMC_LIBRARY", "VMMC_PROFILE", "VMMC_SPIN", "VMMC_STRICT", "VMMC_RUNTIME_DIR", "VMMC_DISABLE"] {
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
