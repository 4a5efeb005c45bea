//! Other people's test suites, as Debian's source packages have them: `target/suites/NAME`, of the installed program's version.
//!
//! apt is asked with a list of sources and directories of our own, so that the machine's own stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::command;

/// Puts the suites' sources into `target/suites`; quick if they are there.
pub(crate) fn fetch() -> Result<()> {
    let apt = Apt::new(Path::new("target/suites"))?;
    apt.source("redis", "redis-server")?;
    apt.source("memcached", "memcached")?;
    apt.source("ruby", "ruby3.1")?;
    apt.source("tcl", "tcl8.6")?;
    apt.source("libuv", "libuv1")?;
    apt.source("libevent", "libevent-2.1-7")?;
    let server = postgresql()?;
    apt.source("postgresql", &server)?;
    apt.headers("postgresql-headers", &server.replace("postgresql-", "postgresql-server-dev-"), &server)
}

/// The package of the PostgreSQL that is installed, such as `postgresql-15`.
fn postgresql() -> Result<String> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?.flatten();
    let newest = versions.filter_map(|version| version.file_name().to_str()?.parse::<u32>().ok()).max();
    newest.map(|number| format!("postgresql-{number}")).context("no version of PostgreSQL is installed")
}

/// apt-get with a state of its own.
struct Apt {
    directory: PathBuf,
}

impl Apt {
    fn new(directory: &Path) -> Result<Self> {
        for inner in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(directory.join(inner))?;
        }
        Ok(Self { directory: fs::canonicalize(directory)? })
    }

    /// The source package of an installed package, unpacked as `name`.
    fn source(&self, name: &str, installed: &str) -> Result<()> {
        let exact = field(installed, "${source:Package}=${source:Version}")?;
        self.once(name, &exact, |apt, parts, into| {
            apt.update()?;
            let newest = exact.split('=').next().unwrap_or(&exact);
            let download = |what: &str| {
                // A version of which a part came is not mixed with the next one.
                fs::remove_dir_all(parts)?;
                fs::create_dir(parts)?;
                let words = ["source", "--only-source", "--download-only", what];
                command::must(apt.command(&words).current_dir(parts))
            };
            // A mirror may have left the installed version behind, or hold only what the release came with.
            let first = || download(&format!("{newest}/{}", release()?));
            download(&exact).or_else(|_| download(newest)).or_else(|_| first())?;
            command::must(Command::new("dpkg-source").args(["--no-check", "-x"]).arg(ending(parts, "dsc")?).arg(into))
        })
    }

    /// What a package would install, unpacked as `name`, of the same version as one that is installed.
    fn headers(&self, name: &str, package: &str, installed: &str) -> Result<()> {
        let exact = format!("{package}={}", field(installed, "${Version}")?);
        self.once(name, &exact, |_, parts, into| {
            let download =
                |what: &str| command::must(Command::new("apt-get").args(["-q", "download", what]).current_dir(parts));
            download(&exact).or_else(|_| download(package))?;
            command::must(Command::new("dpkg-deb").arg("-x").arg(ending(parts, "deb")?).arg(into))
        })
    }

    /// Unpacks something anew, unless that is there already.
    fn once(&self, name: &str, exact: &str, unpack: impl FnOnce(&Self, &Path, &Path) -> Result<()>) -> Result<()> {
        let (mark, into) = (self.directory.join(format!("{name}.version")), self.directory.join(name));
        if into.exists() && fs::read_to_string(&mark).is_ok_and(|version| version == exact) {
            return Ok(());
        }
        println!("suites: fetching {exact}");
        let parts = self.directory.join(format!("{name}.parts"));
        let _ = (fs::remove_dir_all(&into), fs::remove_dir_all(&parts));
        fs::create_dir_all(&parts)?;
        let fresh = parts.join("unpacked");
        unpack(self, &parts, &fresh).with_context(|| format!("{exact} could not be fetched from Debian's mirror"))?;
        fs::rename(&fresh, &into)?;
        fs::remove_dir_all(&parts)?;
        Ok(fs::write(mark, exact)?)
    }

    /// Learns which sources there are, where the machine's own packages come from.
    fn update(&self) -> Result<()> {
        let format = "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)";
        let targets = ["indextargets", "--format", format, "Created-By: Packages", "Origin: Debian"];
        let text = command::output(Command::new("apt-get").args(targets))?;
        ensure!(!text.trim().is_empty(), "apt knows no archive of Debian's; `apt-get update` first");
        fs::write(self.directory.join("sources.list"), text)?;
        command::must(&mut self.command(&["update"]))
    }

    fn command(&self, words: &[&str]) -> Command {
        let at = |name: &str| self.directory.join(name).to_string_lossy().into_owned();
        let mut command = Command::new("apt-get");
        command.arg("-q");
        for option in [
            format!("Dir::Etc::SourceList={}", at("sources.list")),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={}", at("lists")),
            format!("Dir::Cache={}", at("cache")),
        ] {
            command.args(["-o", &option]);
        }
        command.args(words);
        command
    }
}

/// The release of Debian that the machine runs, such as `bookworm`.
fn release() -> Result<String> {
    let facts = fs::read_to_string("/etc/os-release")?;
    let name = facts.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(str::to_owned).context("/etc/os-release names no release")
}

/// What dpkg knows of an installed package.
fn field(package: &str, format: &str) -> Result<String> {
    command::output(Command::new("dpkg-query").args(["-W", "-f", format, package]))
}

/// The one file of a directory whose name ends so.
fn ending(directory: &Path, extension: &str) -> Result<PathBuf> {
    let files = fs::read_dir(directory)?.flatten().map(|file| file.path());
    files.into_iter().find(|file| file.extension().is_some_and(|end| end == extension)).context("nothing came")
}
