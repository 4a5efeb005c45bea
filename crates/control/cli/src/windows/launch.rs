//! `vmmc run`: starts the command suspended, puts the library into it, lets it run, and ends as it ends.

use super::{library, runtime};
use crate::failure::Failure;
use crate::run::Options;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::windows::io::AsRawHandle as _;
use std::os::windows::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use vmmc_os::inject;
use vmmc_protocol::settings;

/// What `vmmc run --help` says.
pub(crate) const LONG_ABOUT: &str = "\
Run a command; its TCP connections on this host move over VMMC.

The command is started suspended, our wsock32.dll is loaded into it, which leads the socket calls of its modules to \
itself, and then it runs, with vmmc's console and standard handles. A connection is accelerated when its other end runs \
under vmmc as well, as the same user; every other connection works as before, on the system's TCP.

What the command starts by CreateProcess gets the library as well. A program of another word size runs unaccelerated: the \
command after one line of warning, a child in silence.

A program that imports WSOCK32 needs no vmmc run: copy wsock32.dll beside it. Where one lies beside the command, or beside a \
child, that one does the work, if the system loads it.";
/// What it says last.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  vmmc run -- server.exe --port 7000
  vmmc run --profile latency -- client.exe localhost 7000

Exit status: the command's own; 2 for a mistake on vmmc's command line or a refusal by --strict; 126 if the command \
cannot be executed; 127 if it is not found.

What the command inherits: VMMC_PROFILE, VMMC_SPIN, VMMC_STRICT, VMMC_RUNTIME_DIR, and VMMC_BIN, by which the library finds \
vmmc.exe. VMMC_LIBRARY names wsock32.dll where it does not lie beside vmmc.exe; a copy of it is kept under another name in \
%TEMP%\\vmmc, and loaded.";

/// CREATE_SUSPENDED.
const SUSPENDED: u32 = 4;

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    let (name, arguments) = options.command.split_first().ok_or_else(|| Failure::of_input("no command was given"))?;
    let directory = runtime::directory().map_err(Failure::of_input)?;
    if let Err(why) = runtime::ensure_broker(&directory) {
        options.shortcoming(&format!("no broker: {why}; connections stay on the system's TCP until there is one"))?;
    }
    let shown = name.to_string_lossy();
    let library = match library::to_load() {
        Ok(path) => Some(path),
        Err(why) => options.shortcoming(&format!("{why}; {shown} runs unaccelerated")).map(|()| None)?,
    };
    let mut command = Command::new(here(name).as_deref().unwrap_or_else(|| Path::new(name)));
    command.args(arguments).envs(options.settings()).env(settings::RUNTIME_DIR, &directory).creation_flags(SUSPENDED);
    if let Ok(own) = std::env::current_exe() {
        command.env(settings::COMMAND, own);
    }
    if let Some(library) = &library {
        command.env(settings::FOR_CHILDREN, library);
    }
    let mut child = command.spawn().map_err(|error| explain(name, &error))?;
    if let Some(library) = library
        && let Err(why) = inject::library(child.as_raw_handle().addr() as i32, &library)
        && let Err(failure) = options.shortcoming(&format!("{}: {why}; {shown} runs unaccelerated", library.display()))
    {
        let _ = child.kill();
        return Err(failure);
    }
    if let Err(error) = inject::resume(child.id()) {
        let _ = child.kill();
        return Err(Failure::of_start(126, format!("{shown}: it does not begin: {error}")));
    }
    let status = child.wait()?;
    // A code has 32 bits here, and all of them are the command's own.
    std::process::exit(status.code().unwrap_or(1))
}

/// The file of that name in the current directory, where Windows looks too and the standard library does not.
pub(super) fn here(name: &OsStr) -> Option<PathBuf> {
    let with_ending = |ending: &str| {
        let mut name = name.to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let found = ["", ".exe"].map(with_ending).into_iter().find(|path| path.is_file())?;
    std::path::absolute(found).ok()
}

fn explain(name: &OsStr, error: &std::io::Error) -> Failure {
    let name = name.to_string_lossy();
    match error.kind() {
        ErrorKind::NotFound => Failure::of_start(127, format!("{name}: command not found")),
        _ => Failure::of_start(126, format!("{name}: {error}")),
    }
}
