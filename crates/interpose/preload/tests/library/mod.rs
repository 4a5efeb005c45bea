//! Where the library under test is, and how to run a program under it.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Once;

/// Seconds after which a program has hung.
const LIMIT_SECONDS: &str = "60";

/// `libvmmc.so` as it is meant to be used. Built here: cargo builds no cdylib for tests alone, and only the release profile
/// has frames that a cancelled thread can be unwound through.
pub(crate) fn path() -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        let status = build.args(["build", "--quiet", "--release", "-p", "vmmc-preload"]).status().unwrap();
        assert!(status.success(), "the library does not build");
    });
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().join("release/libvmmc.so")
}

/// Runs a program, with the library before it or without.
pub(crate) fn run(preloaded: bool, program: impl AsRef<OsStr>, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.arg(LIMIT_SECONDS).arg(program).args(arguments).env_remove("LD_PRELOAD");
    if preloaded {
        command.env("LD_PRELOAD", path());
    }
    command.output().unwrap()
}

/// Runs a shell script both ways; it must end well and say the same.
pub(crate) fn same(script: &str) {
    let (plain, ours) = (run(false, "bash", &["-c", script]), run(true, "bash", &["-c", script]));
    let text = |output: &Output| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    assert!(plain.status.success(), "the script fails by itself: {}", text(&plain));
    assert_eq!((ours.status.code(), text(&ours)), (plain.status.code(), text(&plain)), "under the library: {script}");
}

/// Compiles a C program of `tests/programs/` (once per test program) and says where it is.
pub(crate) fn compiled(name: &str) -> PathBuf {
    let source = format!("{}/tests/programs/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut compiler = Command::new("cc");
    let status =
        compiler.args(["-O2", "-Wall", "-D_GNU_SOURCE", "-pthread", "-o"]).arg(&program).arg(source).status().unwrap();
    assert!(status.success(), "{name}.c does not compile");
    program
}
