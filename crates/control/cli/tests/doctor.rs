//! `vmmc doctor`: every check is told, and the exit code follows from them.

mod common;

use common::{Place, command, finish, vmmc};

#[test]
fn every_check_has_a_verdict_and_failures_have_advice() {
    let directory = Place::new();
    let mut doctor = command(&["doctor", "--json"]);
    let outcome =
        finish(doctor.env("VMMC_RUNTIME_DIR", directory.path()).env("VMMC_LIBRARY", "/nonexistent/libvmmc.so"));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.output).expect("one JSON document");
    assert_eq!((&report["schema"], &report["healthy"]), (&1.into(), &false.into()));
    let checks = report["checks"].as_array().expect("a list");
    let find = |name: &str| {
        checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check of the {name}"))
    };
    for name in ["processor", "kernel", "C library", "sealed memory files", "TCP byte counts"] {
        assert_ne!(find(name)["verdict"], "fail", "{}", find(name));
    }
    for name in ["library", "trial"] {
        assert_eq!(find(name)["verdict"], "fail");
        assert!(
            find(name)["found"].as_str().is_some_and(|found| found.contains("/nonexistent/libvmmc.so")),
            "{}",
            find(name)
        );
        assert!(find(name)["advice"].as_str().is_some_and(|advice| !advice.is_empty()));
    }
}

#[test]
fn a_directory_that_others_may_use_is_a_failure() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Place::new();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).expect("opened");
    let mut doctor = command(&["doctor"]);
    let outcome = finish(doctor.env("VMMC_RUNTIME_DIR", directory.path()).env("VMMC_LIBRARY", "/nonexistent"));
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.output.contains("FAIL  runtime directory") && outcome.output.contains("chmod 700"),
        "{}",
        outcome.output
    );
}

#[test]
fn the_trial_s_programs_talk_without_the_library_too() {
    use std::io::{BufRead as _, BufReader};
    let mut listener =
        command(&["selftest-peer", "listen"]).stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut port = String::new();
    BufReader::new(listener.stdout.take().expect("a pipe")).read_line(&mut port).expect("a port");
    let outcome = vmmc(&["selftest-peer", "connect", port.trim()]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.output.trim().parse::<u64>().is_ok(), "{outcome:?}");
    assert!(listener.wait().expect("it ends").success());
}
