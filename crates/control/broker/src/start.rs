//! Running as the broker, and starting one on demand.

use crate::broker::Broker;
use crate::limits::START_TIME;
use crate::policy::Policy;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vmmc_os::channel::Access;
use vmmc_protocol::settings::{BROKER_ARGUMENTS, RUNTIME_DIR};
use vmmc_protocol::{Client, ControlError, RuntimeDir};

/// How long a broker that was started in the background stays with nobody connected.
pub const IDLE_EXIT: Duration = Duration::from_secs(600);

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seat {
    /// In this runtime directory, for one user.
    Own(PathBuf),
    /// In this one for all users, unless the manager of services has handed over a socket.
    System(PathBuf),
}

/// How to run a broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; made if need be.
    pub seat: Seat,
    /// Whom it pairs.
    pub policy: Policy,
    /// End after nobody has been connected for so long; `None`: never.
    pub idle_exit: Option<Duration>,
}

/// Is the broker, in the foreground, until it has been idle for long enough.
///
/// # Errors
/// As [`Broker::bind`]: above all `AddrInUse` if there is one already.
pub fn run(options: &Options) -> io::Result<()> {
    vmmc_os::process::raise_descriptor_limit();
    let mut broker = match &options.seat {
        Seat::Own(dir) => Broker::bind(dir, Access::Owner, options.policy.clone())?,
        Seat::System(dir) => match Broker::handed_over(options.policy.clone())? {
            Some(broker) => broker,
            None => Broker::bind(dir, Access::Everyone, options.policy.clone())?,
        },
    };
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
    let runtime_dir = RuntimeDir::at(dir.as_os_str().as_encoded_bytes()).ok_or(io::ErrorKind::InvalidInput)?;
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

/// Starts a broker as nobody's child.
fn start(dir: &Path, exe: &Path) -> io::Result<()> {
    vmmc_os::detached::start(exe, &BROKER_ARGUMENTS, (RUNTIME_DIR, dir.as_os_str()))
}
