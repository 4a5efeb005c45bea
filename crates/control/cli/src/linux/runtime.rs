//! The directory in which processes of one user meet, and the broker that waits there.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use vmmc_broker::Policy;
use vmmc_os::channel::PLACE_OF_SYSTEM;
use vmmc_protocol::runtime_dir::DIR_MAX;
use vmmc_protocol::{Client, RuntimeDir, settings};

/// How long the broker for all users may take to answer: the manager of services may have to start it.
const SYSTEM_PATIENCE_MS: u32 = 2000;

/// The runtime directory, absolute: what `VMMC_RUNTIME_DIR` names, else the default. A sentence if it cannot be used.
pub(crate) fn directory() -> Result<PathBuf, String> {
    let named = named()?.or_else(RuntimeDir::of_environment);
    usable(named.ok_or("no runtime directory can be chosen")?)
}

/// The runtime directory of a broker for all users: what `VMMC_RUNTIME_DIR` names, else the system's.
pub(crate) fn directory_of_system() -> Result<PathBuf, String> {
    usable(named()?.unwrap_or_else(|| PLACE_OF_SYSTEM.into()))
}

/// What `VMMC_RUNTIME_DIR` names, absolute.
fn named() -> Result<Option<PathBuf>, String> {
    let named = std::env::var_os(settings::RUNTIME_DIR).filter(|named| !named.is_empty());
    let absolute = named.map(std::path::absolute).transpose();
    absolute.map_err(|error| format!("the current directory is unknown: {error}"))
}

fn usable(directory: PathBuf) -> Result<PathBuf, String> {
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
    if directory == Path::new(PLACE_OF_SYSTEM) {
        let place = meeting_place(directory).ok_or("it has no place")?;
        let answered = Client::ping(&place, SYSTEM_PATIENCE_MS);
        return answered.map(drop).map_err(|error| format!("the broker for all users does not answer: {error}"));
    }
    Policy::in_force(std::env::var_os(settings::POLICY).map(PathBuf::from)).map_err(|error| error.to_string())?;
    let command = std::env::current_exe().map_err(|error| format!("the command's own place is unknown: {error}"))?;
    // Made here, so that a directory that cannot be made is told at once and not by a broker's silence.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.and_then(|()| vmmc_broker::ensure_running(directory, &command))
        .map_err(|error| format!("{}: {error}", directory.display()))
}
