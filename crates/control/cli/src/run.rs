//! `vmmc run`: becomes the command, with the library preloaded and a broker within reach.

mod elf;
mod program;

use crate::failure::{Failure, complain};
use crate::{library, runtime};
use std::collections::BTreeMap;
use std::ffi::{CString, OsString, c_char};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use vmmc_protocol::settings;

/// Longest spin that may be asked for: a second.
const SPIN_MICROSECONDS_MAX: u32 = 1_000_000;

/// Run a command; its TCP connections on this host move over VMMC
#[derive(Debug, clap::Args)]
#[command(override_usage = "vmmc run [OPTIONS] [--] COMMAND [ARGUMENT]...")]
#[command(long_about = "\
Run a command; its TCP connections on this host move over VMMC.

The command's process image replaces vmmc's: process id, exit code, signals, descriptors and terminal are the \
command's own. Children of the command run under vmmc too. A connection is accelerated when its other end runs under \
vmmc as well, as the same user; every other connection works as before, on the kernel's TCP.

A program that cannot be accelerated (statically linked, written in Go, 32-bit, set-user-id) runs all the same, after \
one line of warning.")]
#[command(after_help = "\
Examples:
  vmmc run -- redis-server --port 7000
  vmmc run --profile latency -- ./trading-gateway --config prod.toml
  vmmc run --spin off -- nginx -g 'daemon off;'
  vmmc run --strict -- pytest tests/network

Exit status: the command's own; 2 for a mistake on vmmc's command line or a refusal by --strict; 126 if the command \
cannot be executed; 127 if it is not found.

What the command inherits: LD_PRELOAD with libvmmc.so in front, and VMMC_PROFILE, VMMC_SPIN, VMMC_STRICT, \
VMMC_RUNTIME_DIR. VMMC_LIBRARY names libvmmc.so where it is not installed near vmmc.")]
pub(crate) struct Options {
    /// What to favour: `safe` processor time, waiting briefly in user space; `latency` the shortest waits
    #[arg(long, value_enum, default_value_t = Profile::Safe, env = settings::PROFILE)]
    profile: Profile,
    /// How long a waiting call may look at memory before it sleeps in the kernel: auto, off, or microseconds
    #[arg(long, value_name = "auto|off|MICROSECONDS", default_value = "auto", value_parser = parse_spin, env = settings::SPIN)]
    spin: Spin,
    /// Fail loudly where a connection could be accelerated and is not (for tests)
    #[arg(long, env = settings::STRICT, value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    strict: bool,
    /// Print no warnings
    #[arg(long, short)]
    quiet: bool,
    /// The command and its arguments, kept as they are
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What to favour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Profile {
    Safe,
    Latency,
}

/// How long a waiting call looks at memory before it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spin {
    Auto,
    Off,
    Microseconds(u32),
}

fn parse_spin(text: &str) -> Result<Spin, String> {
    match text {
        "auto" => Ok(Spin::Auto),
        "off" => Ok(Spin::Off),
        number => match number.parse() {
            Ok(microseconds) if microseconds <= SPIN_MICROSECONDS_MAX => Ok(Spin::Microseconds(microseconds)),
            _ => Err(format!("it is `auto`, `off`, or microseconds from 0 to {SPIN_MICROSECONDS_MAX}")),
        },
    }
}

impl Options {
    /// A shortcoming that the command survives: a warning, or the end if the caller is strict.
    fn shortcoming(&self, line: &str) -> Result<(), Failure> {
        if self.strict {
            return Err(Failure::of_input(format!("{line} (--strict)")));
        }
        if !self.quiet {
            complain(&format!("warning: {line}"));
        }
        Ok(())
    }
}

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
    let mut set = |name: &str, value: OsString| environment.insert(name.into(), value);
    set(settings::PROFILE, if options.profile == Profile::Latency { "latency".into() } else { "safe".into() });
    set(
        settings::SPIN,
        match options.spin {
            Spin::Auto => "auto".into(),
            Spin::Off => "off".into(),
            Spin::Microseconds(microseconds) => microseconds.to_string().into(),
        },
    );
    set(settings::RUNTIME_DIR, directory.into());
    if options.strict {
        set(settings::STRICT, "1".into());
    }
    if let Some(library) = library {
        let preloaded = environment.remove(&OsString::from(PRELOAD)).unwrap_or_default();
        environment.insert(PRELOAD.into(), prepend(library, preloaded));
    }
    environment
}

/// The loader's list of libraries to load first, cut at colons and spaces.
const PRELOAD: &str = "LD_PRELOAD";

fn prepend(library: &Path, preloaded: OsString) -> OsString {
    let library = library.as_os_str().to_owned().into_vec();
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
    fn spin_is_a_word_or_a_bounded_number() {
        assert_eq!(parse_spin("auto"), Ok(Spin::Auto));
        assert_eq!(parse_spin("off"), Ok(Spin::Off));
        assert_eq!(parse_spin("50"), Ok(Spin::Microseconds(50)));
        for wrong in ["", "on", "-1", "1.5", "1000001", "50us"] {
            assert!(parse_spin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_library_stands_first_and_once() {
        let library = Path::new("/l/libvmmc.so");
        assert_eq!(prepend(library, OsString::new()), "/l/libvmmc.so");
        assert_eq!(prepend(library, "/a.so b.so".into()), "/l/libvmmc.so:/a.so b.so");
        assert_eq!(prepend(library, "/a.so:/l/libvmmc.so".into()), "/a.so:/l/libvmmc.so");
    }
}
