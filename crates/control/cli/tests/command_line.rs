//! What the command says of itself, and how it answers a mistake.

mod common;

use common::{Outcome, vmmc};

/// One line on the standard error, nothing on the standard output, exit code 2.
fn assert_refused(outcome: &Outcome, says: &str) {
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert_eq!(outcome.errors.lines().count(), 1, "{outcome:?}");
    assert!(outcome.errors.starts_with("vmmc: ") && outcome.errors.contains(says), "{outcome:?}");
    assert!(outcome.output.is_empty(), "{outcome:?}");
}

#[test]
fn a_mistake_is_told_in_one_line() {
    assert_refused(&vmmc(&["--bogus"]), "'--bogus'");
    assert_refused(&vmmc(&["statuss"]), "did you mean status?");
    assert_refused(&vmmc(&["run"]), "COMMAND");
    assert_refused(&vmmc(&["run", "--profile", "fast", "--", "true"]), "'fast'");
    assert_refused(&vmmc(&["run", "--spin", "forever", "--", "true"]), "microseconds from 0 to 1000000");
    assert_refused(&vmmc(&["run", "--bogus", "true"]), "(try `vmmc run --help`)");
    assert_refused(&vmmc(&["status", "--pid", "me"]), "'me'");
    assert_refused(&vmmc(&["status", "--watch=0"]), "1..=3600");
    assert_refused(&vmmc(&["broker", "--idle-exit", "soon"]), "'soon'");
    assert_refused(&vmmc(&["completions", "csh"]), "'csh'");
}

#[test]
fn a_mistake_that_moves_the_cursor_is_told_in_one_line_too() {
    assert_refused(&vmmc(&["run", "--spin", "1\n\u{1b}[2J", "--", "true"]), "--spin");
}

#[test]
fn without_arguments_the_help_is_shown_and_the_code_is_2() {
    let outcome = vmmc(&[]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.errors.contains("Usage: vmmc"), "{outcome:?}");
}

#[test]
fn help_teaches() {
    let top = vmmc(&["--help"]);
    assert_eq!(top.code, Some(0));
    for subcommand in ["run", "status", "bench", "doctor", "broker", "completions", "man"] {
        assert!(top.output.contains(&format!("\n  {subcommand} ")), "{subcommand} is not in the help");
        let help = vmmc(&[subcommand, "--help"]);
        assert_eq!(help.code, Some(0));
        assert!(help.output.contains("Usage: vmmc") && help.errors.is_empty(), "{help:?}");
    }
    for (subcommand, example) in
        [("run", "vmmc run -- redis-server"), ("status", "vmmc status --watch"), ("broker", "vmmc broker --idle-exit")]
    {
        assert!(vmmc(&[subcommand, "--help"]).output.contains(example), "{subcommand} shows no examples");
    }
}

#[test]
fn nobody_is_told_of_the_internal_orders() {
    let everything = [vmmc(&["--help"]), vmmc(&["man"]), vmmc(&["completions", "bash"]), vmmc(&["completions", "zsh"])];
    for outcome in everything {
        assert_eq!(outcome.code, Some(0));
        assert!(!outcome.output.contains("selftest") && !outcome.output.contains("worker"), "{}", outcome.output);
    }
    assert!(!vmmc(&["broker", "--help"]).output.contains("--background"));
}

#[test]
fn the_manual_and_the_completions_are_written_where_one_wants_them() {
    assert!(vmmc(&["man"]).output.contains(".TH vmmc 1"));
    assert!(vmmc(&["completions", "fish"]).output.contains("complete -c vmmc"));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("a plain name");
    assert_eq!(vmmc(&["man", "--output", path]).code, Some(0));
    assert_eq!(vmmc(&["completions", "bash", "--output", path]).code, Some(0));
    for file in ["vmmc.1", "vmmc-run.1", "vmmc-status.1", "vmmc.bash"] {
        assert!(directory.path().join(file).exists(), "{file} was not written");
    }
    let nowhere = vmmc(&["man", "--output", "/nonexistent"]);
    assert_eq!((nowhere.code, nowhere.errors.lines().count()), (Some(1), 1), "{nowhere:?}");
}
