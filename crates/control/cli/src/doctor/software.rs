//! What is installed and within reach: processes to look at, the library, the broker and its directory.

use super::check::Check;
use crate::text::{one_line, plural};
use crate::{library, runtime};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use vmmc_protocol::settings::{BROKER_SOCKET, RUNTIME_DIR};

/// Longest path of a socket: `sockaddr_un` less its terminator.
const SOCKET_PATH_MAX: usize = 107;

/// Whether `vmmc status` can look into this user's processes.
pub(super) fn processes() -> Check {
    const NAME: &str = "view of processes";
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Check::warn(NAME, "/proc cannot be read", "Mount /proc: `vmmc status` looks there.");
    };
    let user = rustix::process::geteuid().as_raw();
    let is_ours = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.uid() == user) && path.join("fd").is_dir();
    let ours = entries.flatten().map(|entry| entry.path()).filter(|path| is_ours(path));
    let (seen, hidden): (Vec<_>, Vec<_>) = ours.partition(|path| path.join("fd").read_dir().is_ok());
    if hidden.is_empty() {
        return Check::ok(NAME, format!("{} can be looked into", plural(seen.len(), "process")));
    }
    let found = format!("{} of this user cannot be looked into", plural(hidden.len(), "process"));
    Check::warn(NAME, found, "`vmmc status` does not show them; run it as root to see all.")
}

/// Whether the library is there and the loader takes it.
pub(super) fn library() -> Check {
    const NAME: &str = "library";
    let path = match library::find() {
        Ok(path) => path,
        Err(why) => return Check::fail(NAME, why, format!("Install libvmmc.so near vmmc, or name it in {}.", library::VARIABLE)),
    };
    const ADVICE: &str = "Build it anew on this machine, for this C library.";
    let outcome = Command::new("/bin/true").env("LD_PRELOAD", &path).stdin(Stdio::null()).output();
    match outcome {
        Ok(output) if output.status.success() && output.stderr.is_empty() => Check::ok(NAME, path.display().to_string()),
        Ok(output) => {
            let said = one_line(String::from_utf8_lossy(&output.stderr).trim());
            Check::fail(NAME, format!("{} does not load: {}; {said}", path.display(), output.status), ADVICE)
        }
        Err(error) => Check::warn(NAME, format!("{}; /bin/true cannot be run to try it: {error}", path.display()), "Install coreutils."),
    }
}

/// Whether the broker's directory is ours alone.
pub(super) fn runtime_directory() -> Check {
    const NAME: &str = "runtime directory";
    let path = runtime::directory();
    let shown = path.display();
    if path.join(BROKER_SOCKET).as_os_str().as_bytes().len() > SOCKET_PATH_MAX {
        return Check::fail(NAME, format!("{shown} is too long for a socket's path"), format!("Set {RUNTIME_DIR} to a shorter path."));
    }
    let metadata = match std::fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Check::ok(NAME, format!("{shown}, not made yet")),
        Err(error) => return Check::fail(NAME, format!("{shown}: {error}"), format!("Set {RUNTIME_DIR} to a directory of yours.")),
    };
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Check::fail(NAME, format!("{shown} is not a directory of yours"), format!("Remove it, or set {RUNTIME_DIR} to another."));
    }
    if metadata.mode() & 0o077 != 0 {
        return Check::fail(NAME, format!("others may use {shown} (mode {:o})", metadata.mode() & 0o777), format!("chmod 700 {shown}"));
    }
    Check::ok(NAME, shown.to_string())
}

/// Whether a broker answers or can be started.
pub(super) fn broker() -> Check {
    const NAME: &str = "broker";
    match runtime::ensure_broker(&runtime::directory()) {
        Ok(()) => Check::ok(NAME, "answers"),
        Err(why) => Check::fail(NAME, why, "Run `vmmc broker` in another terminal to see what it says."),
    }
}
