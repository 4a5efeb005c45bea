//! Builds for Windows on Linux: `wsock32.dll` and `vmmc.exe`, for 64-bit and for 32-bit programs.
//!
//! Debian's Rust is used, whose library source comes with it, because the library has to be built too: the one that rustup
//! brings for Windows takes its random numbers from a DLL that Debian's Wine does not have, and the target that still speaks
//! to Windows 7 does not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

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
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.args(["build", "--quiet", "--release", "-Zbuild-std=std,panic_abort"]);
    cargo.args(["--target", target.triple(), "--target-dir", TARGET_DIRECTORY]);
    cargo.args(PRODUCTS.iter().flat_map(|(package, _)| ["-p", package]));
    // `-Z` is for nightly builds of cargo, or for those who say that they know what they do.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", "/usr/bin/rustc").env_remove("RUSTFLAGS");
    command::must(cargo.current_dir(command::root()).stdin(Stdio::null()))?;
    let directory = command::root().join(TARGET_DIRECTORY).join(target.triple()).join("release");
    PRODUCTS.iter().map(|(_, file)| existing(&directory, file)).collect()
}

fn existing(directory: &Path, file: &str) -> Result<PathBuf> {
    let path = directory.join(file);
    ensure!(path.is_file(), "cargo was content, but {} is not there", path.display());
    Ok(path)
}
