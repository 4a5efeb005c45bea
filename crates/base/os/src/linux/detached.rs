//! A program as nobody's child. For commands: it forks.
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Starts `exe` in a session of its own, with `arguments`, with none of this process's descriptors and no preloaded
/// library. `environment` is set over this process's.
///
/// # Errors
/// The kernel's, where the program cannot be started.
pub fn start(exe: &Path, arguments: &[&str], environment: (&str, &OsStr)) -> io::Result<()> {
    let mut command = Command::new(exe);
    command.args(arguments).env(environment.0, environment.1).env_remove("LD_PRELOAD").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: `detach` makes only system calls that are allowed between fork and exec, and allocates nothing.
    unsafe { command.pre_exec(detach) };
    match command.spawn()?.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(io::Error::other("the program could not be started")),
        // Where SIGCHLD is ignored nobody is told how a child ended; whether it worked is seen by asking the program.
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The command that a guest starts as its broker: none on Linux, where `vmmc run` has done so before it started the guest.
#[must_use]
pub fn command_for_guests() -> Option<PathBuf> {
    None
}

/// In the forked child: leaves the session, and goes on as a grandchild whose parent has ended.
fn detach() -> io::Result<()> {
    rustix::process::setsid()?;
    // SAFETY: plain numbers; descriptors from 3 on are only marked to be closed by exec, std's own among them already.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    // SAFETY: this process is the child of a fork and has one thread; both continue below with async-signal-safe calls.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(()),
        // SAFETY: ends this process without running anything of the parent's that was inherited.
        _ => unsafe { libc::_exit(0) },
    }
}
