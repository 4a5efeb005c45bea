//! The directory in which processes of one user meet, and the broker that waits there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use vmmc_protocol::settings;

/// The runtime directory, absolute: `VMMC_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/vmmc`, else `/tmp/vmmc-UID`.
pub(crate) fn directory() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    let directory = named(settings::RUNTIME_DIR)
        .or_else(|| named("XDG_RUNTIME_DIR").map(|base| base.join("vmmc")))
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/vmmc-{}", rustix::process::getuid().as_raw())));
    std::path::absolute(&directory).unwrap_or(directory)
}

/// Sees to it that a broker answers in `directory`; a sentence if none can be had.
pub(crate) fn ensure_broker(directory: &Path) -> Result<(), String> {
    let command = std::env::current_exe().map_err(|error| format!("the command's own place is unknown: {error}"))?;
    let _ = (directory, command);
    Err("there is no broker yet".to_owned())
}
