//! A network of its own for a stage: nothing but a loopback, so that nobody is asked and every port is free.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the namespace may take to come up.
const UP_LIMIT: Duration = Duration::from_secs(60);
/// How often we look.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A process that holds a network namespace.
#[derive(Debug)]
pub(crate) struct Namespace {
    holder: Child,
}

impl Namespace {
    /// A new one with its loopback up; none where that is not allowed.
    pub(crate) fn new() -> Option<Self> {
        let script = "ip link set lo up && exec sleep infinity";
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "sh", "-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut namespace = Self { holder: unshare.spawn().ok()? };
        let began = Instant::now();
        while began.elapsed() < UP_LIMIT && namespace.holder.try_wait().ok()?.is_none() {
            if namespace.is_up() {
                return Some(namespace);
            }
            sleep(LOOK_EVERY);
        }
        None
    }

    /// The holder sleeps, which it does once the loopback is up.
    fn is_up(&self) -> bool {
        std::fs::read(format!("/proc/{}/cmdline", self.holder.id())).is_ok_and(|line| line.starts_with(b"sleep\0"))
    }

    /// The words that put a command into the namespace.
    pub(crate) fn enter(&self) -> Vec<String> {
        vec!["nsenter".into(), format!("--net=/proc/{}/ns/net", self.holder.id()), "--".into()]
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
