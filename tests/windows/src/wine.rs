//! Wine: where it stands, and a configuration directory (a prefix) for every stage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use vmmc_tests::Launch;

use crate::source::succeed;

/// Runs a 64-bit program.
pub(crate) const WINE: &str = "/usr/lib/wine/wine64";
/// Ends everything that runs in a prefix.
const WINE_SERVER: &str = "/usr/lib/wine/wineserver64";
/// What Wine would ask a person about when it meets its first prefix: a .NET and an HTML engine of its own.
const NO_ENGINES: &str = "mscoree,mshtml=";

/// Settings of the product that programs might inherit.
const SETTINGS: [&str; 7] =
    ["VMMC_BIN", "VMMC_LIBRARY", "VMMC_RUNTIME_DIR", "VMMC_DISABLE", "VMMC_PROFILE", "VMMC_SPIN", "VMMC_STRICT"];

/// The prefix that is kept is made once.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A directory of this name for what the tests make and keep.
pub(crate) fn room(name: &str) -> PathBuf {
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/wine").join(name);
    fs::create_dir_all(&room).expect("a directory below target");
    room.canonicalize().expect("it was just made")
}

/// Makes a prefix that shares the system's files with the one that is kept, and has a registry of its own.
pub(crate) fn new_prefix(prefix: &Path) {
    let kept = kept_prefix();
    fs::create_dir(prefix).expect("a directory for a prefix");
    for entry in fs::read_dir(&kept).expect("the prefix that is kept").flatten() {
        let how = if entry.file_name() == "drive_c" { "-al" } else { "-a" };
        succeed(Command::new("cp").arg(how).arg(entry.path()).arg(prefix));
    }
}

/// The prefix from which the others are made: 8 s the first time.
fn kept_prefix() -> PathBuf {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = room("").join("prefix");
    if !kept.is_dir() {
        let fresh = room("").join("fresh-prefix");
        let _ = fs::remove_dir_all(&fresh);
        succeed(command(&fresh).args([WINE, "wineboot", "--init"]));
        // No windows are shown anywhere; without this no program gets one at all.
        let key = r"HKCU\Software\Wine\Drivers";
        succeed(command(&fresh).args([WINE, "reg", "add", key, "/v", "Graphics", "/d", "null", "/f"]));
        end(&fresh);
        fs::rename(fresh, &kept).expect("a prefix in its place");
    }
    kept
}

/// Starts what runs beside every program (Wine's server and services), silently, in the network that `enter` leads to. It stays
/// until [`end`]: a server that ends some seconds after its last program would take along one that starts just then.
pub(crate) fn start(prefix: &Path, enter: &[String]) {
    for words in [&[WINE_SERVER, "--persistent"][..], &[WINE, "cmd", "/c", "exit"]] {
        succeed(command(prefix).args(enter).args(words));
    }
}

/// Ends everything that runs in a prefix, and waits for that.
pub(crate) fn end(prefix: &Path) {
    for how in ["--kill", "--wait"] {
        let _ = command(prefix).args([WINE_SERVER, how]).status();
    }
}

/// `env` with a prefix's environment, to which a command is added.
fn command(prefix: &Path) -> Command {
    let mut command = Command::new("env");
    command.arg(format!("WINEPREFIX={}", prefix.display())).args(["WINEDEBUG=-all"]);
    command.arg(format!("WINEDLLOVERRIDES={NO_ENGINES}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Gives a launch the prefix's environment. A `wsock32.dll` beside the program is taken before Wine's, as Windows would;
/// which one was, is told on standard error.
pub(crate) fn environment(launch: Launch, prefix: &Path) -> Launch {
    // Our caller's settings are not the programs': the command of Linux, for one, would be started as their broker.
    let launch = SETTINGS.iter().fold(launch, |launch, name| launch.without(name));
    launch
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all,+loaddll")
        .env("WINEDLLOVERRIDES", format!("{NO_ENGINES};wsock32=n,b"))
}
