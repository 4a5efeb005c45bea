//! What is installed and within reach: processes to look at, the library, the broker and its directory.

use crate::doctor::check::Check;
use crate::system::{library, runtime};
use crate::text::{one_line, plural};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use vmmc_broker::{POLICY_FILE, Policy};
use vmmc_protocol::settings::{POLICY, RUNTIME_DIR};
use vmmc_protocol::{Client, ControlError, Status};

/// How long the broker may take to answer.
const PATIENCE_MS: u32 = 1000;

/// Whether `vmmc status` can look into this user's processes.
pub(super) fn processes() -> Check {
    const NAME: &str = "view of processes";
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Check::warn(NAME, "/proc cannot be read", "Mount /proc: `vmmc status` looks there.");
    };
    let user = rustix::process::geteuid().as_raw();
    let is_ours =
        |path: &Path| path.metadata().is_ok_and(|metadata| metadata.uid() == user) && path.join("fd").is_dir();
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
        Err(why) => {
            return Check::fail(
                NAME,
                why,
                format!("Install libvmmc.so near vmmc, or name it in {}.", library::VARIABLE),
            );
        }
    };
    const ADVICE: &str = "Build it anew on this machine, for this C library.";
    let outcome = Command::new("/bin/true").env("LD_PRELOAD", &path).stdin(Stdio::null()).output();
    match outcome {
        Ok(output) if output.status.success() && output.stderr.is_empty() => {
            Check::ok(NAME, path.display().to_string())
        }
        Ok(output) => {
            let said = one_line(String::from_utf8_lossy(&output.stderr).trim());
            Check::fail(NAME, format!("{} does not load: {}; {said}", path.display(), output.status), ADVICE)
        }
        Err(error) => Check::warn(
            NAME,
            format!("{}; /bin/true cannot be run to try it: {error}", path.display()),
            "Install coreutils.",
        ),
    }
}

/// Whether the broker's directory is ours alone.
pub(super) fn runtime_directory() -> Check {
    const NAME: &str = "runtime directory";
    let advice = format!("Set {RUNTIME_DIR} to the short path of a directory that only you can write to.");
    let path = match runtime::directory() {
        Ok(path) => path,
        Err(why) => return Check::fail(NAME, why, advice),
    };
    let shown = path.display();
    match runtime::meeting_place(&path).map(|place| place.check()) {
        Some(Ok(())) => Check::ok(NAME, shown.to_string()),
        Some(Err(ControlError::Absent)) => Check::ok(NAME, format!("{shown}, not made yet")),
        Some(Err(ControlError::Untrusted)) => Check::fail(
            NAME,
            format!("{shown} is no directory, or others can write to it"),
            format!("chmod 700 {shown}, if it is yours. {advice}"),
        ),
        Some(Err(error)) => Check::fail(NAME, format!("{shown}: {error}"), advice),
        None => Check::fail(NAME, format!("{shown} cannot hold a socket"), advice),
    }
}

/// Whether the policy that a broker started here would go by makes sense.
pub(super) fn policy() -> Check {
    const NAME: &str = "policy";
    match Policy::in_force(std::env::var_os(POLICY).map(PathBuf::from)) {
        Ok((_, None)) => Check::ok(NAME, format!("no {POLICY_FILE}: processes of one user are paired, all of them")),
        Ok((policy, Some(path))) => {
            let (allow, deny) = policy.rules();
            Check::ok(NAME, format!("{}: {} to allow, {} to deny", path.display(), plural(allow, "rule"), deny))
        }
        Err(error) => Check::fail(
            NAME,
            error.to_string(),
            "docs/policy.md tells what may stand there; a broker that runs goes on by the policy that it has read.",
        ),
    }
}

/// Whether a broker answers or can be started.
pub(super) fn broker() -> Check {
    const NAME: &str = "broker";
    match answer() {
        Ok(status) => {
            Check::ok(NAME, format!("pid {} answers; {} connected", status.pid, plural(programs(&status), "program")))
        }
        Err(why) => Check::fail(NAME, why, "Run `vmmc broker` in another terminal to see what it says."),
    }
}

fn answer() -> Result<Status, String> {
    let directory = runtime::directory()?;
    runtime::ensure_broker(&directory)?;
    let place = runtime::meeting_place(&directory).ok_or("it has no place")?;
    Client::ping(&place, PATIENCE_MS).map_err(|error| format!("{}: {error}", directory.display()))
}

/// Programs connected to the broker besides this one.
fn programs(status: &Status) -> usize {
    status.clients.saturating_sub(1) as usize
}
