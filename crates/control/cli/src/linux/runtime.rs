//! The directory in which processes of one user meet, and the broker that waits there.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use vmmc_protocol::runtime_dir::DIR_MAX;
use vmmc_protocol::{RuntimeDir, settings};

/// The runtime directory, absolute: what `VMMC_RUNTIME_DIR` names, else the default. A sentence if it cannot be used.
pub(crate) fn directory() -> Result<PathBuf, String> {
    let directory = match std::env::var_os(settings::RUNTIME_DIR).filter(|named| !named.is_empty()) {
        Some(named) => {
            std::path::absolute(named).map_err(|error| format!("the current directory is unknown: {error}"))?
        }
        None => RuntimeDir::of_environment().ok_or("no runtime directory can be chosen")?,
    };
    match meeting_place(&directory) {
        Some(_) => Ok(directory),
        None => Err(format!("the runtime directory's path is longer than {DIR_MAX} bytes: {}", directory.display())),
    }
}

/// The directory as the protocol knows it.
pub(crate) fn meeting_place(directory: &Path) -> Option<RuntimeDir> {
    RuntimeDir::at(directory.as_os_str().as_bytes())
}

/// Sees to it that a broker answers in `directory`; a sentence if none can be had.
pub(crate) fn ensure_broker(directory: &Path) -> Result<(), String> {
    let command = std::env::current_exe().map_err(|error| format!("the command's own place is unknown: {error}"))?;
    // Made here, so that a directory that cannot be made is told at once and not by a broker's silence.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.and_then(|()| vmmc_broker::ensure_running(directory, &command))
        .map_err(|error| format!("{}: {error}", directory.display()))
}
