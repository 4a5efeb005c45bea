//! `vmmc run`: the command that it becomes is the command, in everything that can be seen from outside.

mod common;

use common::{Outcome, Place, VMMC, command, end_broker_at, finish, harmless_library};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// `vmmc run` with these arguments, a library that does nothing, and a broker's directory of its own.
fn run_in(directory: &Path, arguments: &[&str]) -> Command {
    let mut run = command(&["run"]);
    run.args(arguments).env("VMMC_LIBRARY", harmless_library()).env("VMMC_RUNTIME_DIR", directory);
    run
}

fn run(arguments: &[&str]) -> Outcome {
    let directory = Place::new();
    finish(&mut run_in(directory.path(), arguments))
}

#[test]
fn the_exit_code_is_the_command_s() {
    for code in [0, 1, 2, 42, 255] {
        assert_eq!(run(&["--", "sh", "-c", &format!("exit {code}")]).code, Some(code));
    }
}

#[test]
fn a_signal_is_the_command_s() {
    for (name, number) in [("TERM", libc::SIGTERM), ("KILL", libc::SIGKILL), ("SEGV", libc::SIGSEGV)] {
        assert_eq!(run(&["--", "sh", "-c", &format!("kill -{name} $$")]).signal, Some(number));
    }
}

#[test]
fn the_process_is_the_same_one() {
    let directory = Place::new();
    let child =
        run_in(directory.path(), &["--", "sh", "-c", "echo $$"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let pid = child.id();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), pid.to_string());
}

#[test]
fn arguments_are_kept_verbatim() {
    let directory = Place::new();
    let words = ["", " ", "--profile", "--", "-q", "*", "a\nb", "$HOME", "--help"];
    for separator in [&["--"][..], &[]] {
        let mut run = run_in(directory.path(), separator);
        run.args(["printf", "[%s]"]).args(words).arg(OsStr::from_bytes(b"\xff\xfe"));
        let output = run.output().expect("it starts").stdout;
        let expected: Vec<u8> =
            words.iter().flat_map(|word| format!("[{word}]").into_bytes()).chain(*b"[\xff\xfe]").collect();
        assert_eq!(String::from_utf8_lossy(&output), String::from_utf8_lossy(&expected));
    }
}

#[test]
fn the_settings_reach_the_command() {
    let show = ["--", "sh", "-c", "echo $VMMC_PROFILE $VMMC_SPIN $VMMC_STRICT. $VMMC_RUNTIME_DIR $LD_PRELOAD"];
    let directory = Place::new();
    let (library, place) = (spelled(&harmless_library()), directory.path().display());
    let shown = |options: &[&str]| finish(&mut run_in(directory.path(), &[options, &show].concat())).output;
    assert_eq!(shown(&[]), format!("safe auto . {place} {library}\n"));
    assert_eq!(shown(&["--profile", "latency", "--spin", "25"]), format!("latency 25 . {place} {library}\n"));
    assert_eq!(shown(&["--spin=off"]), format!("safe off . {place} {library}\n"));
}

#[test]
fn settings_in_the_environment_count_unless_an_option_says_otherwise() {
    let directory = Place::new();
    let mut spin = run_in(directory.path(), &["--", "sh", "-c", "echo $VMMC_SPIN"]);
    assert_eq!(finish(spin.env("VMMC_SPIN", "7")).output, "7\n");
    let mut spin = run_in(directory.path(), &["--spin", "9", "--", "sh", "-c", "echo $VMMC_SPIN"]);
    assert_eq!(finish(spin.env("VMMC_SPIN", "7")).output, "9\n");
}

#[test]
fn what_was_preloaded_stays_preloaded() {
    let directory = Place::new();
    let mut run = run_in(directory.path(), &["--", "sh", "-c", "echo $LD_PRELOAD"]);
    let library = harmless_library();
    let other = library.with_file_name("libm.so.6");
    assert_eq!(finish(run.env("LD_PRELOAD", &other)).output, format!("{}:{}\n", spelled(&library), other.display()));
}

/// Where musl's programs can run, the library is named so that only glibc's loader finds it.
fn spelled(library: &Path) -> String {
    let guard = if Path::new(MUSL_LOADER).exists() { "/$LIB/../../../.." } else { "" };
    format!("{guard}{}", library.display())
}

const MUSL_LOADER: &str = "/lib/ld-musl-x86_64.so.1";

#[test]
fn a_program_of_musl_s_runs_as_ever_also_within_a_command_of_glibc_s() {
    let directory = Place::new();
    let (source, program) = (directory.path().join("greet.c"), directory.path().join("greet"));
    std::fs::write(&source, "#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n").expect("written");
    let compiled = Command::new("musl-gcc").arg(&source).arg("-o").arg(&program).status();
    assert!(compiled.expect("musl-gcc; `cargo xtask setup` installs it").success());
    let program = program.to_str().expect("a name in ASCII");
    let alone = finish(&mut run_in(directory.path(), &["--", program]));
    assert_eq!(alone.output, "hello\n");
    assert!(alone.errors.contains("is linked with musl"), "{}", alone.errors);
    let within = finish(&mut run_in(directory.path(), &["--", "sh", "-c", &format!("{program}; {program}")]));
    assert_eq!((within.output.as_str(), within.errors.as_str()), ("hello\nhello\n", ""));
}

#[test]
fn the_runtime_directory_is_absolute() {
    let directory = Place::new();
    let mut run = run_in(Path::new("here"), &["--quiet", "--", "sh", "-c", "echo $VMMC_RUNTIME_DIR"]);
    let outcome = finish(run.current_dir(directory.path()));
    end_broker_at(&directory.path().join("here"));
    assert_eq!(outcome.output, format!("{}/here\n", directory.path().display()));
    let long = "/".to_owned() + &"x".repeat(200);
    let outcome = finish(&mut run_in(Path::new(&long), &["--", "true"]));
    assert!(outcome.code == Some(2) && outcome.errors.contains("is longer than"), "{outcome:?}");
}

#[test]
fn ignored_and_default_signals_stay_so() {
    let directory = Place::new();
    for before in ["", "trap '' PIPE INT;"] {
        let ignored = |command: &str| {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("{before} exec {command} grep -E 'Sig(Ign|Blk|Cgt)' /proc/self/status"));
            finish(shell.env("VMMC_RUNTIME_DIR", directory.path()).env("VMMC_LIBRARY", harmless_library()))
        };
        let (plain, ours) = (ignored(""), ignored(&format!("{VMMC} run -q --")));
        assert!(plain.output.contains("SigIgn"));
        assert_eq!(plain.output, ours.output);
    }
}

#[test]
fn no_descriptor_is_added_or_taken() {
    let directory = Place::new();
    let listed = |command: &str| {
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(format!("exec 7</dev/null 0<&-; exec {command} ls /proc/self/fd"));
        finish(shell.env("VMMC_RUNTIME_DIR", directory.path()).env("VMMC_LIBRARY", harmless_library())).output
    };
    assert_eq!(listed(""), listed(&format!("{VMMC} run -q --")));
}

#[test]
fn a_command_that_cannot_run_ends_as_in_a_shell() {
    let directory = Place::new();
    let file = directory.path().join("file");
    std::fs::write(&file, "#!/nonexistent/interpreter\n").expect("written");
    let name = file.to_str().expect("a plain name");
    let refused = |name: &str, code: i32, says: &str| {
        let outcome = run(&["-q", "--", name]);
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(outcome.errors.contains(says) && outcome.errors.lines().count() == 1, "{outcome:?}");
    };
    refused("no-such-command-at-all", 127, "command not found");
    refused("/no/such/file", 127, "no such file");
    refused("", 127, "command not found");
    refused(name, 126, "not executable");
    refused("/tmp", 126, "is a directory");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("allowed");
    refused(name, 127, "interpreter or loader does not exist");
}

#[test]
fn a_script_without_a_first_line_runs_in_the_shell() {
    let directory = Place::new();
    let file = directory.path().join("script");
    std::fs::write(&file, "echo hello $1\n").expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("allowed");
    assert_eq!(run(&["-q", "--", file.to_str().expect("a plain name"), "you"]).output, "hello you\n");
}

#[test]
fn a_missing_library_is_a_warning_and_under_strict_the_end() {
    let directory = Place::new();
    let with = |options: &[&str]| {
        let mut run = run_in(directory.path(), &[options, &["--", "echo", "ran"]].concat());
        finish(run.env("VMMC_LIBRARY", "/nonexistent/libvmmc.so"))
    };
    let warned = with(&[]);
    assert_eq!((warned.code, warned.output.as_str()), (Some(0), "ran\n"));
    assert!(warned.errors.contains("warning: VMMC_LIBRARY=/nonexistent/libvmmc.so"), "{warned:?}");
    let quiet = with(&["--quiet"]);
    assert_eq!((quiet.output.as_str(), quiet.errors.as_str()), ("ran\n", ""));
    let strict = with(&["--strict"]);
    assert_eq!((strict.code, strict.output.as_str()), (Some(2), ""), "{strict:?}");
    assert_eq!(strict.errors.lines().count(), 1, "{strict:?}");
}

/// A program that returns 7, compiled and told that it cannot be accelerated, and why.
fn warned_of(source: &str, option: &str, why: &str) {
    let directory = Place::new();
    let (file, program) = (directory.path().join("main.c"), directory.path().join("program"));
    std::fs::write(&file, source).expect("written");
    let built = Command::new("cc").arg(option).arg(&file).arg("-o").arg(&program).status();
    assert!(built.is_ok_and(|status| status.success()), "this test needs a C compiler and a static C library");
    let name = program.to_str().expect("a plain name");
    let warned = run(&["--", name]);
    assert_eq!(warned.code, Some(7));
    assert!(warned.errors.contains(why), "{warned:?}");
    let strict = run(&["--strict", "--", name]);
    assert!(strict.code == Some(2) && strict.errors.contains(why), "{strict:?}");
}

#[test]
fn a_program_that_cannot_be_accelerated_runs_with_a_warning_and_under_strict_not_at_all() {
    warned_of("int main(void) { return 7; }", "-static", "is statically linked");
    // What the Go linker puts into every program; one that uses net or os/user is linked dynamically.
    let go = r#"__attribute__((section(".go.buildinfo"), used)) static const char go[] = "\xff Go buildinf:";"#;
    warned_of(&format!("{go}\nint main(void) {{ return 7; }}\n"), "-O2", "is written in Go");
}

#[test]
fn a_broker_is_started_once_and_is_nobody_s_child() {
    let directory = Place::new();
    assert_eq!(directory.broker(), None);
    // All of the command's pipes must have ended for these to return.
    let children = finish(&mut run_in(directory.path(), &["--", "sh", "-c", "cat /proc/$$/task/$$/children"]));
    let broker = directory.broker().expect("a broker answers");
    assert!(!children.output.split_whitespace().any(|pid| pid == broker.to_string()), "{children:?}");
    assert_eq!(children.errors, "");
    finish(&mut run_in(directory.path(), &["--", "true"]));
    assert_eq!(directory.broker(), Some(broker));
}

#[test]
fn a_caller_that_ignores_its_children_gets_a_broker_too() {
    let directory = Place::new();
    let mut ignoring = Command::new("env");
    ignoring.args(["--ignore-signal=CHLD", VMMC, "run", "--strict", "--", "echo", "ran"]);
    let outcome = finish(ignoring.env("VMMC_RUNTIME_DIR", directory.path()).env("VMMC_LIBRARY", harmless_library()));
    assert_eq!((outcome.output.as_str(), outcome.errors.as_str()), ("ran\n", ""));
}

#[test]
fn without_a_broker_the_command_runs_with_a_warning_and_under_strict_not_at_all() {
    let nowhere = Path::new("/proc/vmmc");
    let warned = finish(&mut run_in(nowhere, &["--", "echo", "ran"]));
    assert_eq!((warned.code, warned.output.as_str()), (Some(0), "ran\n"));
    assert!(
        warned.errors.contains("warning: no broker: /proc/vmmc") && warned.errors.lines().count() == 1,
        "{warned:?}"
    );
    let strict = finish(&mut run_in(nowhere, &["--strict", "--", "echo", "ran"]));
    assert_eq!((strict.code, strict.output.as_str()), (Some(2), ""), "{strict:?}");
}
