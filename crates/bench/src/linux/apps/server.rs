//! A server program with a directory and a port of its own, and the clients that load it.

use std::env;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::command;
use crate::process::{Enabled, shown};
use crate::status::Roads;
use crate::system::accelerated::{library_loaded, roads};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The path of an installed program; otherwise how to install it.
pub(super) fn installed(program: &str, package: &str) -> Result<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = directories.map(|directory| directory.join(program)).find(|path| path.is_file());
    let found = found.with_context(|| format!("{program} is not installed: apt-get install {package}"))?;
    Ok(found.to_string_lossy().into_owned())
}

/// A port that nobody used a moment ago.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A new directory, removed when this goes out of scope.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(name: &str) -> Result<Self> {
        let path = env::temp_dir().join(format!("vmmc-bench-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What the server has complained about last.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.0.join("log")).unwrap_or_default();
        log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no word").trim().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server, ended when this goes out of scope.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// What was typed.
    pub(super) command: String,
}

impl Server {
    /// Starts it and waits until it answers on `port`; its output goes to the directory's `log`.
    pub(super) fn start(
        enabled: Enabled,
        program: &str,
        args: &[&str],
        directory: &Directory,
        port: u16,
    ) -> Result<Self> {
        let mut command = command(enabled, program, args)?;
        let log = fs::File::create(directory.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", shown(&command)))?;
        let mut server = Self { child, command: shown(&command) };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended, {status}: {}", directory.last_words());
            }
            ensure!(Instant::now() < deadline, "the server does not listen");
            sleep(Duration::from_millis(20));
        }
        if enabled != Enabled::No && !library_loaded(server.pid()) {
            bail!("unavailable: libvmmc.so is not in {program}");
        }
        Ok(server)
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SAFETY: the child has not been waited for, so that its number is still its own; SIGTERM asks it to end.
        unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGTERM) };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often a running client's roads are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a client wrote, and the share of its data that went through memory when most of it was seen: what it has closed by the
/// end is not seen any more.
pub(super) struct Output {
    pub(super) text: String,
    pub(super) through_memory: Option<f64>,
}

/// Runs a client to its end, at most `limit`; its output goes through a file of the directory.
pub(super) fn output(mut command: Command, directory: &Directory, limit: Duration) -> Result<Output> {
    let path = directory.path().join("client");
    let file = fs::File::create(&path)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", shown(&command)))?;
    let (mut most, deadline) = (Roads::default(), Instant::now() + limit);
    let status = loop {
        most = roads(child.id()).filter(|seen| seen.bytes() > most.bytes()).unwrap_or(most);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("the client was not done in {} s", limit.as_secs());
        }
        sleep(LOOK_EVERY);
    };
    let text = fs::read_to_string(&path)?;
    ensure!(status.success(), "the client ended, {status}: {}", text.lines().last().unwrap_or_default());
    Ok(Output { text, through_memory: most.through_memory() })
}
