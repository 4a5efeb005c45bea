//! What demo and tests need of the machine, and how it gets there.
//!
//! Debian starts a service as soon as it is installed. Nobody asked for that here: while we install, a `policy-rc.d`
//! says no to every start, and afterwards the units that came with our packages are disabled.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::command;

/// For what the machine is to be ready.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Scope {
    /// `cargo xtask demo`.
    Demo,
    /// `cargo xtask test`.
    Everything,
    /// Other people's suites besides, which need compilers and servers of their own.
    Suites,
}

/// A program, the Debian package that has it, what needs it first, and the unit that the package would start.
struct Need {
    program: &'static str,
    package: &'static str,
    scope: Scope,
    unit: Option<&'static str>,
}

const fn need(program: &'static str, package: &'static str) -> Need {
    Need { program, package, scope: Scope::Everything, unit: None }
}

const fn suites(program: &'static str, package: &'static str) -> Need {
    Need { scope: Scope::Suites, ..need(program, package) }
}

const NEEDS: &[Need] = &[
    Need { scope: Scope::Demo, ..need("gcc", "gcc") },
    Need { scope: Scope::Demo, unit: Some("redis-server"), ..need("redis-server", "redis-server") },
    Need { scope: Scope::Demo, ..need("redis-benchmark", "redis-tools") },
    Need { unit: Some("memcached"), ..need("memcached", "memcached") },
    Need { unit: Some("nginx"), ..need("nginx", "nginx-light") },
    Need { unit: Some("postgresql"), ..need("initdb", "postgresql") },
    need("pgbench", "postgresql-contrib"),
    need("wrk", "wrk"),
    need("curl", "curl"),
    Need { unit: Some("iperf3"), ..need("iperf3", "iperf3") },
    need("sockperf", "sockperf"),
    need("python3", "python3"),
    need("node", "nodejs"),
    need("openssl", "openssl"),
    need("nm", "binutils"),
    need("runuser", "util-linux"),
    need("ip", "iproute2"),
    need("g++", "g++"),
    need("musl-gcc", "musl-tools"),
    suites("ssh", "openssh-client"),
    Need { unit: Some("ssh"), ..suites("sshd", "openssh-server") },
    Need { unit: Some("rsync"), ..suites("rsync", "rsync") },
    Need { unit: Some("haproxy"), ..suites("haproxy", "haproxy") },
    suites("javac", "default-jdk-headless"),
    suites("go", "golang-go"),
    suites("prove", "perl"),
    suites("tclsh", "tcl"),
    suites("dpkg-source", "dpkg-dev"),
    suites("ruby3.1", "ruby3.1"),
    suites("cmake", "cmake"),
];

/// What comes as a file and not as a program, its package, and what needs it first.
const FILES: &[(&str, &str, Scope)] = &[
    ("/usr/include/stdio.h", "libc6-dev", Scope::Demo),
    ("/usr/include/liburing.h", "liburing-dev", Scope::Everything),
    ("/usr/lib/python3.11/test/test_socket.py", "libpython3.11-testsuite", Scope::Suites),
    ("/usr/lib/python3/dist-packages/twisted/trial", "python3-twisted", Scope::Suites),
    ("/usr/lib/python3/dist-packages/tornado/test", "python3-tornado", Scope::Suites),
    ("/usr/lib/python3/dist-packages/grpc", "python3-grpcio", Scope::Suites),
];

/// What builds for Windows and runs them, as packages: other packages have commands of the same names.
const WINDOWS: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-clippy",
    "gcc-mingw-w64",
    "wine64",
    "iproute2",
    "curl",
    "xz-utils",
];

/// Makes the machine ready to build for Windows and to run that; quick if it is.
pub(crate) fn setup_windows() -> Result<()> {
    let missing: Vec<_> = WINDOWS.iter().copied().filter(|package| !installed(package)).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    if !knows_windows_targets()
        && let Some(become_root) = root_prefix()
    {
        // What apt knew of was an older one.
        apt(&become_root, &["update"])?;
        install(WINDOWS)?;
    }
    ensure!(
        knows_windows_targets(),
        "rustc-web is too old to build for Windows; Debian's security archive has a newer one"
    );
    Ok(())
}

/// Makes the machine ready to make a Debian of another kind below `target`, for 32-bit programs.
pub(crate) fn setup_debootstrap() -> Result<()> {
    if installed("debootstrap") { Ok(()) } else { install(&["debootstrap"]) }
}

/// Debian's second rustc has the targets whose programs load under Wine.
fn knows_windows_targets() -> bool {
    let list = Command::new("/usr/bin/rustc").args(["--print", "target-list"]).output();
    list.is_ok_and(|list| String::from_utf8_lossy(&list.stdout).contains("x86_64-win7-windows-gnu"))
}

/// This package is installed, as Debian's package manager knows it.
fn installed(package: &str) -> bool {
    let query = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]).output();
    query.is_ok_and(|answer| answer.stdout == b"installed")
}

/// Makes the machine ready; quick if it is.
pub(crate) fn setup(scope: Scope) -> Result<()> {
    let missing = missing(scope);
    if !missing.is_empty() {
        install(&missing)?;
    }
    rust_components(scope)?;
    println!("setup: everything is there");
    Ok(())
}

/// Packages that the machine lacks.
fn missing(scope: Scope) -> Vec<&'static str> {
    let wanted = NEEDS.iter().filter(|need| need.scope <= scope);
    let mut packages: Vec<_> =
        wanted.filter(|need| command::find(need.program).is_none()).map(|need| need.package).collect();
    let files = FILES.iter().filter(|(file, _, needs)| *needs <= scope && !Path::new(file).exists());
    packages.extend(files.map(|(_, package, _)| *package));
    packages.dedup();
    packages
}

/// Installs packages through apt, or says what to type.
fn install(packages: &[&'static str]) -> Result<()> {
    println!("setup: installing {}", packages.join(" "));
    let by_hand = format!("apt-get update && apt-get install --no-install-recommends {}", packages.join(" "));
    let Some(become_root) = root_prefix() else {
        bail!("these packages are missing; type this as root and try again:\n    {by_hand}");
    };
    let quiet = Quiet::begin(&become_root);
    let install = || apt(&become_root, &[&["install", "-y", "--no-install-recommends"], packages].concat());
    let result = install().or_else(|_| {
        apt(&become_root, &["update"])?;
        install()
    });
    drop(quiet);
    result.with_context(|| format!("apt could not do it; by hand, as root:\n    {by_hand}"))?;
    for unit in NEEDS.iter().filter(|need| packages.contains(&need.package)).filter_map(|need| need.unit) {
        let _ = privileged(&become_root, &["systemctl", "disable", "--quiet", unit]).stderr(Stdio::null()).status();
    }
    Ok(())
}

/// What to put before a command so that root runs it: nothing, `sudo -n`, or there is no way.
fn root_prefix() -> Option<Vec<&'static str>> {
    let quiet = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
        output.ok().filter(|output| output.status.success()).map(|output| output.stdout)
    };
    command::find("apt-get")?;
    if quiet("id", &["-u"]).is_some_and(|id| id.trim_ascii() == b"0") {
        return Some(Vec::new());
    }
    quiet("sudo", &["-n", "true"]).map(|_| vec!["sudo", "-n"])
}

/// A command that root runs.
fn privileged(become_root: &[&str], words: &[&str]) -> Command {
    let words: Vec<&str> = become_root.iter().chain(words).copied().collect();
    let mut command = Command::new(words.first().copied().unwrap_or("true"));
    command.args(words.iter().skip(1)).stdin(Stdio::null());
    command
}

/// One run of apt-get that asks nothing.
fn apt(become_root: &[&str], arguments: &[&str]) -> Result<()> {
    let words =
        [&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "Dpkg::Use-Pty=0"], arguments].concat();
    command::must(&mut privileged(become_root, &words))
}

/// While it lives, no package may start a service.
struct Quiet {
    become_root: Option<Vec<&'static str>>,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl Quiet {
    fn begin(become_root: &[&'static str]) -> Self {
        if Path::new(POLICY).exists() {
            return Self { become_root: None };
        }
        let draft = std::env::temp_dir().join(format!("vmmc-policy-{}", std::process::id()));
        let draft_name = draft.to_string_lossy().into_owned();
        let placed = fs::write(&draft, "#!/bin/sh\nexit 101\n").is_ok()
            && fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).is_ok()
            && privileged(become_root, &["cp", &draft_name, POLICY]).status().is_ok_and(|status| status.success());
        let _ = fs::remove_file(&draft);
        Self { become_root: placed.then(|| become_root.to_vec()) }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(become_root) = &self.become_root {
            let _ = privileged(become_root, &["rm", "-f", POLICY]).status();
        }
    }
}

/// rustfmt and clippy, which a minimal Rust comes without.
fn rust_components(scope: Scope) -> Result<()> {
    if scope == Scope::Demo || (command::find("cargo-fmt").is_some() && command::find("cargo-clippy").is_some()) {
        return Ok(());
    }
    if command::find("rustup").is_none() {
        bail!(
            "rustfmt or clippy is missing; install them as you installed Rust (Debian: apt-get install rustfmt rust-clippy)"
        );
    }
    command::must(Command::new("rustup").args(["component", "add", "rustfmt", "clippy"]))
}
