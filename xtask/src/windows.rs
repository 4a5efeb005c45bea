//! Builds for Windows on Linux: `wsock32.dll` and `vmmc.exe`, for 64-bit and for 32-bit programs.
//!
//! Debian's Rust is used, whose library source comes with it, because the library has to be built too: the one that rustup
//! brings for Windows takes its random numbers from a DLL that Debian's Wine does not have, and the target that still speaks
//! to Windows 7 does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{command, machine};

/// A kind of Windows that programs are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// 64-bit.
    X86_64,
    /// 32-bit, which the programs of WinSock 1.1 were.
    I686,
}

impl Target {
    /// Its name in Rust.
    const fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-win7-windows-gnu",
            Self::I686 => "i686-win7-windows-gnu",
        }
    }
}

/// The packages that are built, and the file that each of them makes.
const PRODUCTS: [(&str, &str); 2] = [("vmmc-wsock32", "wsock32.dll"), ("vmmc-cli", "vmmc.exe")];

/// Builds in a directory of its own, and by another compiler than the one that cargo would take.
const TARGET_DIRECTORY: &str = "target/windows";

/// Installs what is missing, builds, and says where the files are.
pub(crate) fn run(target: Target) -> Result<()> {
    machine::setup_windows()?;
    for file in build(target)? {
        println!("{}", file.display());
    }
    Ok(())
}

/// Builds what is put beside a program and the command, and returns where they stand.
pub(crate) fn build(target: Target) -> Result<Vec<PathBuf>> {
    let mut cargo = cargo("build", target);
    cargo.args(PRODUCTS.iter().flat_map(|(package, _)| ["-p", package]));
    command::must(&mut cargo)?;
    PRODUCTS.iter().map(|(_, file)| existing(&directory(target), file)).collect()
}

/// Builds one test of a package, beside the products and under its own name.
pub(crate) fn build_test(target: Target, package: &str, test: &str) -> Result<()> {
    let mut cargo = cargo("test", target);
    // Tests that end the process when they fail, as the products do: the library need not be built a second time.
    cargo.args(["-Zpanic-abort-tests", "--no-run", "--message-format=json", "-p", package, "--test", test]);
    let messages = command::output(&mut cargo)?;
    let made = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let made = made.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    let made = made.with_context(|| format!("cargo was content, but has made no {test}"))?;
    fs::copy(made, directory(target).join(test).with_extension("exe"))?;
    Ok(())
}

/// Runs small programs with the 32-bit DLL and without, in a Debian of 32 bits below `target`.
pub(crate) fn try_i686() -> Result<()> {
    command::must(&mut Command::new(command::root().join("tests/windows/i686.sh")))
}

/// Ends what a test that was cut short has left running under Wine, and removes its prefix.
pub(crate) fn end_leftovers() {
    let stages = fs::read_dir(command::root().join("target/wine/stages")).into_iter().flatten().flatten();
    for prefix in stages.map(|stage| stage.path().join("prefix")).filter(|prefix| prefix.is_dir()) {
        let mut server = Command::new("/usr/lib/wine/wineserver64");
        // One that is not there has nothing left to end.
        let _ = server.arg("--kill").env("WINEPREFIX", &prefix).stderr(Stdio::null()).status();
        let _ = fs::remove_dir_all(&prefix);
    }
}

/// Debian's cargo, about to build or to test for Windows.
fn cargo(what: &str, target: Target) -> Command {
    prepared(Command::new("/usr/bin/cargo"), what, target)
}

fn prepared(mut cargo: Command, what: &str, target: Target) -> Command {
    cargo.args([what, "--quiet", "--release", "-Zbuild-std=std,panic_abort"]);
    cargo.args(["--target", target.triple(), "--target-dir", TARGET_DIRECTORY]);
    // `-Z` is for nightly builds of cargo, or for those who say that they know what they do.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", "/usr/bin/rustc").env_remove("RUSTFLAGS");
    cargo.current_dir(command::root()).stdin(Stdio::null());
    cargo
}

/// Looks with clippy through what is built and all of ours that it stands on, in its parts for Windows.
pub(crate) fn lint(target: Target) -> Result<()> {
    // The one that comes with Debian's compiler, wherever another cargo would look.
    let mut clippy = prepared(Command::new("/usr/bin/cargo-clippy"), "clippy", target);
    clippy.env("CARGO", "/usr/bin/cargo").args(PRODUCTS.iter().flat_map(|(package, _)| ["-p", package]));
    command::must(clippy.args(["--", "-Dwarnings"]))
}

/// Where what is built for a kind of Windows stands.
fn directory(target: Target) -> PathBuf {
    command::root().join(TARGET_DIRECTORY).join(target.triple()).join("release")
}

fn existing(directory: &Path, file: &str) -> Result<PathBuf> {
    let path = directory.join(file);
    ensure!(path.is_file(), "cargo was content, but {} is not there", path.display());
    Ok(path)
}
