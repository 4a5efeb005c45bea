//! Sources that others wrote: fetched from Debian's archive when a test needs them, and never kept in this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::wine;

/// A source archive as its authors published it, which is what Debian's archive keeps.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// What its directory is called here.
    pub name: &'static str,
    /// Where it stands below Debian's `pool/main`, with `%xx` as in an address.
    pub pool: &'static str,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'static str,
    /// The only parts of it that are unpacked, as `tar` matches them; all of it if there are none.
    pub parts: &'static [&'static str],
}

/// Where Debian keeps the sources of its current releases.
const POOL: &str = "http://deb.debian.org/debian/pool/main";

/// Two tests may want the same sources.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Source {
    /// The directory in which it stands unpacked, fetched first if it has never been.
    ///
    /// # Panics
    ///
    /// If it cannot be fetched, or is not what it was.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = wine::room("sources").join(self.name);
        if !directory.is_dir() {
            let fresh = wine::room("fetched").join(self.name);
            let _ = fs::remove_dir_all(&fresh);
            fs::create_dir_all(&fresh).expect("a directory for sources");
            let archive = self.fetch();
            let mut tar = Command::new("tar");
            tar.arg("-xf").arg(archive).arg("-C").arg(&fresh).args(["--strip-components=1", "--wildcards"]);
            succeed(tar.args(self.parts));
            fs::rename(fresh, &directory).expect("sources in their place");
        }
        directory
    }

    /// The archive, held against its checksum.
    fn fetch(&self) -> PathBuf {
        let file = self.pool.rsplit('/').next().unwrap_or(self.pool);
        let archive = wine::room("fetched").join(file);
        if !archive.is_file() {
            let partial = archive.with_extension("partial");
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--fail", "--location", "--max-time", "120", "--retry", "3"]);
            succeed(curl.arg("--output").arg(&partial).arg(format!("{POOL}/{}", self.pool)));
            fs::rename(partial, &archive).expect("an archive in its place");
        }
        let sum = Command::new("sha256sum").arg(&archive).output().expect("sha256sum runs");
        let is_it = sum.stdout.starts_with(self.sha256.as_bytes());
        assert!(is_it, "{} is not the archive that was meant; delete it to fetch it again", archive.display());
        archive
    }
}

/// Runs a command that must end well.
pub(crate) fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// Every file below a directory whose name ends so, in order.
pub(crate) fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(end));
    found.sort();
    found
}
