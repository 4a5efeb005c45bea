//! What the tests build and run with. A tool that is missing fails the test and says its package: `cargo xtask windows` brings all.

#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use vmmc_stubgen::plan::{Plan, Wishes};
use vmmc_stubgen::prototypes::Headers;
use vmmc_stubgen::write;

/// A kind of Windows programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) compiler: &'static str,
    pub(crate) triple: &'static str,
}

pub(crate) const WIN64: Kind = Kind { compiler: "x86_64-w64-mingw32-gcc", triple: "x86_64-win7-windows-gnu" };
pub(crate) const WIN32: Kind = Kind { compiler: "i686-w64-mingw32-gcc", triple: "i686-win7-windows-gnu" };

const WINE: &str = "/usr/lib/wine/wine64";

/// A file of this crate.
pub(crate) fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The table of the real wsock32.dll.
pub(crate) fn wsock32_table() -> PathBuf {
    own("data/wsock32-exports.csv")
}

/// One of the DLLs that Wine brings (64-bit; Debian: `libwine`).
pub(crate) fn of_wine(name: &str) -> PathBuf {
    Path::new("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows").join(name)
}

/// Where what takes long to build is kept from run to run.
fn kept() -> PathBuf {
    own("../../../target/stubgen")
}

/// Runs a command that must succeed; what it prints.
pub(crate) fn must(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{printed}{complaints}", output.status);
    printed
}

/// Compiles fixtures into a program or a DLL.
pub(crate) fn compile(kind: Kind, output: &Path, fixtures: &[&str], options: &[&str]) {
    let files = fixtures.iter().map(|fixture| own("tests/fixtures").join(fixture));
    must(Command::new(kind.compiler).arg("-O1").args(files).args(options).arg("-o").arg(output));
}

/// The fixture that has every kind of export, as a DLL in a directory.
pub(crate) fn original(kind: Kind, directory: &Path) -> PathBuf {
    let path = directory.join("original.dll");
    compile(kind, &path, &["original.c", "original.def"], &["-shared"]);
    path
}

/// Writes the package of a wrapper.
pub(crate) fn generate(original: &Path, wishes: &Wishes, package: &Path) -> Plan {
    let library = original.with_extension("dll").file_name().unwrap().to_str().unwrap().to_owned();
    let headers = Headers { names: wishes.headers.clone(), directories: vec![own("tests/fixtures")] };
    let plan = Plan::read(&library, original, wishes, headers).unwrap();
    write::package(&plan, package).unwrap();
    plan
}

/// Builds the package of a wrapper of a DLL of this name; the DLL, which the next build may replace.
pub(crate) fn build(package: &Path, kind: Kind, library: &str) -> PathBuf {
    let target = kept();
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.args(["build", "--quiet", "--release", "-Zbuild-std=core", "--target", kind.triple, "--target-dir"]);
    cargo.arg(&target).current_dir(package);
    // The rustup that may run this test must not choose the compiler for Debian's cargo.
    for name in ["RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO", "RUSTC_WRAPPER"] {
        cargo.env_remove(name);
    }
    must(cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", "/usr/bin/rustc"));
    let built = target.join(kind.triple).join("release").join(library);
    let copy = package.join(library);
    fs::copy(built, &copy).unwrap();
    copy
}

/// Where Wine keeps its Windows; made at the first use.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        fs::create_dir_all(kept()).unwrap();
        let prefix = kept().canonicalize().unwrap().join("wine");
        if !prefix.join("system.reg").exists() {
            must(wine_in(&prefix).args(["wineboot", "--init"]));
        }
        prefix
    })
}

fn wine_in(prefix: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["180", WINE]).env("WINEPREFIX", prefix).env("WINEDEBUG", "-all");
    // No installer asks for anything.
    command.env("WINEDLLOVERRIDES", "mscoree,mshtml=");
    command
}

/// Puts a DLL where Windows has its own.
pub(crate) fn install(dll: &Path) {
    fs::copy(dll, prefix().join("drive_c/windows/system32").join(dll.file_name().unwrap())).unwrap();
}

/// What a program did.
pub(crate) struct Run {
    pub(crate) printed: String,
    /// Wine loaded the DLL that stands beside the program, and not its own only.
    pub(crate) wrapped: bool,
}

/// Runs a program for which a DLL of this name beside it comes before Wine's own.
pub(crate) fn wine(program: &Path, library: &str) -> Run {
    let mut command = wine_in(prefix());
    command.env("WINEDEBUG", "-all,+loaddll").env("WINEDLLOVERRIDES", format!("mscoree,mshtml=;{library}=n,b"));
    let output = command.arg(program).stdin(Stdio::null()).output().unwrap();
    let [printed, loaded] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).replace('\r', ""));
    assert!(output.status.success(), "{}: {}\n{printed}{loaded}", program.display(), output.status);
    let beside = program.with_file_name(format!("{library}.dll")).display().to_string().replace('/', "\\\\");
    // Wine spells a DLL's name as the program's imports do.
    let beside = beside.to_lowercase();
    let wrapped = loaded.to_lowercase().lines().any(|line| line.contains(&beside) && line.contains(": native"));
    Run { printed, wrapped }
}
