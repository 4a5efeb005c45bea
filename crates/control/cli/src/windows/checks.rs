//! What `vmmc doctor` examines.

pub(crate) use super::program::of_program;
use super::{library, runtime};
use crate::doctor::check::Check;
use crate::text::plural;
use vmmc_os::edition;
use vmmc_os::image::Image;
use vmmc_protocol::{Client, Status};

/// How long the broker may take to answer.
const PATIENCE_MS: u32 = 1000;

/// The checks, in the order in which one would look: what the machine is, what it allows, what is installed.
pub(crate) const CHECKS: [fn() -> Check; 7] = [machine, processors, known_dlls, overrides, library, copies, broker];

/// Which Windows this is, or which Wine.
fn machine() -> Check {
    const NAME: &str = "system";
    let (major, minor, build) = edition::version();
    let windows = format!("Windows {major}.{minor}, build {build}, {}", std::env::consts::ARCH);
    match edition::wine_version() {
        Some(wine) => Check::ok(NAME, format!("Wine {wine}, which says that it is {windows}")),
        None if (major, minor) < (6, 1) => Check::warn(NAME, windows, "Windows 7 (6.1) or later is known to work."),
        None => Check::ok(NAME, windows),
    }
}

/// Whether two programs can run at once.
fn processors() -> Check {
    const NAME: &str = "processors";
    match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => Check::warn(
            NAME,
            "one processor may be used: waiting calls do not spin, they sleep in the kernel",
            "Give the programs two processors or more.",
        ),
        number => Check::ok(NAME, format!("{number} may be used")),
    }
}

/// Whether Windows takes WSOCK32 from its own folder, whatever lies beside a program.
fn known_dlls() -> Check {
    const NAME: &str = "KnownDLLs";
    let names = edition::known_dlls();
    if names.iter().any(|name| name.eq_ignore_ascii_case(library::FILE_NAME)) {
        return Check::warn(
            NAME,
            "it names wsock32.dll, so Windows never takes the one beside a program",
            "Start programs with `vmmc run`, which does not depend on it.",
        );
    }
    Check::ok(NAME, format!("{}, and wsock32.dll is none of them", plural(names.len(), "DLL")))
}

/// Whether Wine takes a wsock32.dll that is not its own.
fn overrides() -> Check {
    const NAME: &str = "wsock32.dll beside a program";
    if edition::wine_version().is_none() {
        return Check::ok(NAME, "Windows prefers it to its own");
    }
    if std::env::var("WINEDLLOVERRIDES").is_ok_and(|own| own.contains("wsock32")) {
        return Check::ok(NAME, "WINEDLLOVERRIDES names it");
    }
    Check::warn(
        NAME,
        "Wine prefers its own",
        "Set WINEDLLOVERRIDES=wsock32=n,b where programs are started, or start them with `vmmc run`.",
    )
}

/// Whether the library is there, and the one for this command.
fn library() -> Check {
    const NAME: &str = "library";
    let advice = format!("Put wsock32.dll, of the same build, beside vmmc.exe, or name it in {}.", library::VARIABLE);
    let path = match library::find() {
        Ok(path) => path,
        Err(why) => return Check::fail(NAME, why, advice),
    };
    let found = path.display();
    match Image::of_file(&path) {
        Ok(Some(Image { is_ours: true, bits: usize::BITS })) => Check::ok(NAME, found.to_string()),
        Ok(Some(Image { is_ours: true, bits })) => {
            let why = format!("{found} is for {bits}-bit programs, and this vmmc.exe for {}-bit ones", usize::BITS);
            Check::fail(NAME, why, advice)
        }
        Ok(_) => Check::fail(NAME, format!("{found} is another one than ours"), advice),
        Err(error) => Check::fail(NAME, format!("{found}: {error}"), advice),
    }
}

/// Whether there can be a copy of it for programs to load.
fn copies() -> Check {
    const NAME: &str = "copy of the library";
    match library::to_load() {
        Ok(copy) => Check::ok(NAME, copy.display().to_string()),
        Err(why) => Check::fail(NAME, why, "See to it that the folder TEMP can be written to; `vmmc run` needs it."),
    }
}

/// Whether a broker answers or can be started.
fn broker() -> Check {
    const NAME: &str = "broker";
    match answer() {
        Ok(status) => {
            let programs = plural(status.clients.saturating_sub(1) as usize, "program");
            Check::ok(NAME, format!("pid {} answers; {programs} connected", status.pid))
        }
        Err(why) => Check::fail(NAME, why, "Run `vmmc broker` in another window to see what it says."),
    }
}

fn answer() -> Result<Status, String> {
    let directory = runtime::directory()?;
    runtime::ensure_broker(&directory)?;
    let place = runtime::meeting_place(&directory).ok_or("it has no place")?;
    Client::ping(&place, PATIENCE_MS).map_err(|error| format!("{}: {error}", directory.display()))
}
