//! `vmmc run`: becomes the command, with the library preloaded and a broker within reach.

use super::{elf, library, program, runtime};
use crate::failure::Failure;
use crate::run::Options;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString, c_char};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use vmmc_protocol::settings;

/// What `vmmc run --help` says.
pub(crate) const LONG_ABOUT: &str = "\
Run a command; its TCP connections on this host move over VMMC.

The command's process image replaces vmmc's: process id, exit code, signals, descriptors and terminal are the \
command's own. Children of the command run under vmmc too. A connection is accelerated when its other end runs under \
vmmc as well, as the same user; every other connection works as before, on the kernel's TCP.

A program that cannot be accelerated (statically linked, written in Go, 32-bit, set-user-id) runs all the same, after \
one line of warning.";
/// What it says last.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  vmmc run -- redis-server --port 7000
  vmmc run --profile latency -- ./trading-gateway --config prod.toml
  vmmc run --spin off -- nginx -g 'daemon off;'
  vmmc run --strict -- pytest tests/network

Exit status: the command's own; 2 for a mistake on vmmc's command line or a refusal by --strict; 126 if the command \
cannot be executed; 127 if it is not found.

What the command inherits: LD_PRELOAD with libvmmc.so in front, and VMMC_PROFILE, VMMC_SPIN, VMMC_STRICT, \
VMMC_RUNTIME_DIR. VMMC_LIBRARY names libvmmc.so where it is not installed near vmmc.";

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    let name = options.command.first().ok_or_else(|| Failure::of_input("no command was given"))?;
    let program = program::find(name)?;
    let verdict = elf::inspect(&program);
    if let Some(why) = verdict.why() {
        options.shortcoming(&format!("{} {why}; it runs unaccelerated, on the kernel's TCP", program.display()))?;
    }
    let directory = runtime::directory().map_err(Failure::of_input)?;
    if let Err(why) = runtime::ensure_broker(&directory) {
        options.shortcoming(&format!("no broker: {why}; connections stay on the kernel's TCP until there is one"))?;
    }
    let library = match library::find() {
        Ok(path) => Some(path),
        Err(why) => options.shortcoming(&format!("{why}; {} runs unaccelerated", program.display())).map(|()| None)?,
    };
    let environment = environment(&options, &directory, library.as_deref().filter(|_| verdict.may_preload()));
    Err(become_program(&program, options.command.clone(), environment))
}

/// The command's environment: this one's, the settings, and the library in front of what is preloaded already.
fn environment(options: &Options, directory: &Path, library: Option<&Path>) -> BTreeMap<OsString, OsString> {
    let mut environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    environment.extend(options.settings().into_iter().map(|(name, value)| (name.into(), value.into())));
    environment.insert(settings::RUNTIME_DIR.into(), directory.into());
    if let Some(library) = library {
        let preloaded = environment.remove(&OsString::from(PRELOAD)).unwrap_or_default();
        environment.insert(PRELOAD.into(), prepend(&spelled(library, has_musl()), preloaded));
    }
    environment
}

/// The loader's list of libraries to load first, cut at colons and spaces.
const PRELOAD: &str = "LD_PRELOAD";

/// Where glibc's loader finds the library, by a name that leads musl's nowhere: that one ends a program whose preloaded library
/// needs glibc, but passes over in silence what it does not find, and it knows no `$LIB` (glibc's own directory: "lib64", say).
fn spelled(library: &Path, has_musl: bool) -> OsString {
    let guard = if has_musl { "/$LIB/../../../.." } else { "" };
    [guard.as_ref(), library.as_os_str()].into_iter().collect()
}

/// Whether musl's programs can run here.
fn has_musl() -> bool {
    let is_loader = |name: &OsStr| name.as_bytes().starts_with(b"ld-musl-");
    std::fs::read_dir("/lib")
        .is_ok_and(|mut files| files.any(|file| file.is_ok_and(|file| is_loader(&file.file_name()))))
}

fn prepend(library: &OsStr, preloaded: OsString) -> OsString {
    let library = library.to_owned().into_vec();
    let preloaded = preloaded.into_vec();
    let mut entries = preloaded.split(|byte| b" :".contains(byte)).filter(|entry| !entry.is_empty());
    if entries.any(|entry| entry == library) {
        return OsString::from_vec(preloaded);
    }
    let mut list = library;
    if !preloaded.is_empty() {
        list.push(b':');
        list.extend(preloaded);
    }
    OsString::from_vec(list)
}

/// Replaces this process by the program. Returns only if that fails.
///
/// Not the standard library's `exec`: that one would reset SIGPIPE, which the command must find as it was.
#[allow(unsafe_code)]
fn become_program(program: &Path, arguments: Vec<OsString>, environment: BTreeMap<OsString, OsString>) -> Failure {
    // Arguments and environment came from the system, so no byte in them is 0: nothing is left out here.
    let c_strings =
        |strings: Vec<Vec<u8>>| strings.into_iter().filter_map(|s| CString::new(s).ok()).collect::<Vec<_>>();
    let pair = |(name, value): (OsString, OsString)| [name.into_vec(), value.into_vec()].join(&b'=');
    let path = c_strings(vec![program.as_os_str().to_owned().into_vec()]);
    let arguments = c_strings(arguments.into_iter().map(OsString::into_vec).collect());
    let environment = c_strings(environment.into_iter().map(pair).collect());
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
    };
    // SAFETY: the path is a C string; both lists are null-terminated arrays of C strings; all outlive the call.
    unsafe { libc::execvpe(path[0].as_ptr(), pointers(&arguments).as_ptr(), pointers(&environment).as_ptr()) };
    program::explain(program, &std::io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_stands_first_and_once() {
        let library = OsStr::new("/l/libvmmc.so");
        assert_eq!(prepend(library, OsString::new()), "/l/libvmmc.so");
        assert_eq!(prepend(library, "/a.so b.so".into()), "/l/libvmmc.so:/a.so b.so");
        assert_eq!(prepend(library, "/a.so:/l/libvmmc.so".into()), "/a.so:/l/libvmmc.so");
    }

    #[test]
    fn only_where_musl_is_the_library_has_a_name_that_glibc_alone_understands() {
        assert_eq!(spelled(Path::new("/l/libvmmc.so"), false), "/l/libvmmc.so");
        assert_eq!(spelled(Path::new("/l/libvmmc.so"), true), "/$LIB/../../../../l/libvmmc.so");
    }
}
