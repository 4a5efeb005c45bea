//! The name under which processes of one user meet, and the broker that waits there.

use std::path::{Path, PathBuf};
use vmmc_protocol::RuntimeDir;

/// The runtime directory, here only a name: what `VMMC_RUNTIME_DIR` says, else the user's own. A sentence if it cannot be used.
pub(crate) fn directory() -> Result<PathBuf, String> {
    RuntimeDir::of_environment().ok_or_else(|| "no runtime directory can be chosen".to_owned())
}

/// The name of a broker for all users; there is none on Windows, and the broker says so.
pub(crate) fn directory_of_system() -> Result<PathBuf, String> {
    directory()
}

/// The name as the protocol knows it.
pub(crate) fn meeting_place(directory: &Path) -> Option<RuntimeDir> {
    RuntimeDir::at(directory.as_os_str().as_encoded_bytes())
}

/// Sees to it that a broker answers; a sentence if none can be had.
pub(crate) fn ensure_broker(directory: &Path) -> Result<(), String> {
    let command = std::env::current_exe().map_err(|error| format!("the command's own place is unknown: {error}"))?;
    vmmc_broker::ensure_running(directory, &command).map_err(|error| format!("{}: {error}", directory.display()))
}
