//! Running as the broker, and starting one on demand.

use crate::broker::Broker;
use crate::limits::START_TIME;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vmmc_protocol::settings::RUNTIME_DIR;
use vmmc_protocol::{Client, ControlError, RuntimeDir};

/// How long a broker that was started in the background stays with nobody connected.
pub const IDLE_EXIT: Duration = Duration::from_secs(600);

/// How to run a broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// The runtime directory; made if need be.
    pub dir: PathBuf,
    /// End after nobody has been connected for so long; `None`: never.
    pub idle_exit: Option<Duration>,
}

/// The runtime directory that this process's environment asks for (see [`vmmc_protocol::settings`]). A session directory
/// that is another user's, as `su` leaves it behind, counts as none.
///
/// # Errors
/// `InvalidInput` if no usable path results.
pub fn runtime_dir() -> io::Result<PathBuf> {
    let explicit = std::env::var_os(RUNTIME_DIR);
    let session = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| {
        RuntimeDir::at(dir.as_bytes()).is_some_and(|dir| dir.check().is_ok())
            && std::fs::metadata(dir)
                .is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == rustix::process::geteuid().as_raw())
    });
    let bytes = |path: &Option<std::ffi::OsString>| path.as_ref().map(|path| path.as_bytes().to_vec());
    let (explicit, session) = (bytes(&explicit), bytes(&session));
    let dir = RuntimeDir::choose(explicit.as_deref(), session.as_deref(), rustix::process::geteuid().as_raw())
        .ok_or(io::ErrorKind::InvalidInput)?;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(dir.as_bytes())))
}

/// Is the broker, in the foreground, until it has been idle for long enough.
///
/// # Errors
/// As [`Broker::bind`]: above all `AddrInUse` if there is one already.
pub fn run(options: &Options) -> io::Result<()> {
    raise_descriptor_limit();
    let mut broker = Broker::bind(&options.dir)?;
    loop {
        let left = options.idle_exit.zip(broker.idle()).map(|(limit, idle)| limit.saturating_sub(idle));
        if left == Some(Duration::ZERO) {
            return Ok(());
        }
        broker.turn(left)?;
    }
}

/// Sees to it that a broker answers in `dir`: if none does, starts `exe broker --background` as nobody's child, and waits
/// until it answers. Of several that are started at once, one stays.
///
/// # Errors
/// `TimedOut` if none answers within two seconds; `PermissionDenied` if the directory is not to be trusted; the kernel's.
pub fn ensure_running(dir: &Path, exe: &Path) -> io::Result<()> {
    let runtime_dir = RuntimeDir::at(dir.as_os_str().as_bytes()).ok_or(io::ErrorKind::InvalidInput)?;
    let started = Instant::now();
    let mut last_start = None;
    while started.elapsed() < START_TIME {
        if answers(&runtime_dir)? {
            return Ok(());
        }
        // Once more now and then: the first may have met a broker that was just ending and still had the place.
        if last_start.is_none_or(|last: Instant| last.elapsed() > START_TIME / 4) {
            start(dir, exe)?;
            last_start = Some(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "the broker was started but does not answer"))
}

fn answers(dir: &RuntimeDir) -> io::Result<bool> {
    match Client::ping(dir, 500) {
        Ok(_) => Ok(true),
        Err(ControlError::Absent | ControlError::Busy | ControlError::Lost) => Ok(false),
        Err(ControlError::Untrusted) => Err(io::Error::new(io::ErrorKind::PermissionDenied, ControlError::Untrusted)),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Starts a broker in a session of its own, with none of this process's descriptors and no preloaded library.
fn start(dir: &Path, exe: &Path) -> io::Result<()> {
    let mut command = Command::new(exe);
    command.args(["broker", "--background"]).env(RUNTIME_DIR, dir).env_remove("LD_PRELOAD").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: `detach` makes only system calls that are allowed between fork and exec, and allocates nothing.
    unsafe { command.pre_exec(detach) };
    match command.spawn()?.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(io::Error::other("the broker could not be started")),
        // Where SIGCHLD is ignored nobody is told how a child ended; whether it worked is seen by asking the broker.
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(()),
        Err(error) => Err(error),
    }
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

/// Every process, link and chunk takes descriptors, so all that may be had are.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
