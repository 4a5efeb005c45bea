//! Where `libvmmc.so` is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Names the library's file, where it lies nowhere near the command.
pub(crate) const VARIABLE: &str = "VMMC_LIBRARY";
const FILE_NAME: &str = "libvmmc.so";
/// Directories that may hold it, seen from the command's own: beside it (also in cargo's target directory), or installed.
const PLACES: [&str; 4] = [".", "../lib", "../lib/vmmc", "../lib64"];

/// The library's absolute path, or a sentence that says where it was looked for.
pub(crate) fn find() -> Result<PathBuf, String> {
    let path = match std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        Some(named) => named_by_variable(&named)?,
        None => near_command()?,
    };
    // The loader cuts LD_PRELOAD at both, and knows no way to quote them.
    if path.as_os_str().as_bytes().iter().any(|byte| b" :".contains(byte)) {
        return Err(format!("{} cannot be preloaded: its path contains a space or a colon", path.display()));
    }
    Ok(path)
}

fn named_by_variable(named: &OsStr) -> Result<PathBuf, String> {
    std::fs::canonicalize(named).map_err(|error| format!("{VARIABLE}={}: {error}", named.to_string_lossy()))
}

fn near_command() -> Result<PathBuf, String> {
    let command = std::env::current_exe().map_err(|error| format!("the command's own place is unknown: {error}"))?;
    let directory = command.parent().unwrap_or_else(|| Path::new("/"));
    PLACES
        .iter()
        .find_map(|place| std::fs::canonicalize(directory.join(place).join(FILE_NAME)).ok())
        .ok_or_else(|| format!("{FILE_NAME} is not in {} nor in {}", directory.display(), PLACES[1..].join(", ")))
}
