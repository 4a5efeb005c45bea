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

#[test]
fn a_policy_is_checked_and_a_mistake_told_in_one_line() {
    let directory = Place::new();
    let file = directory.path().join("policy.toml");
    for (text, verdict, found) in [
        ("[[allow]]\nserver = { ports = [80] }\n[[allow]]\n", "ok", "policy.toml: 2 rules to allow, 0 to deny"),
        ("[[allow]]\n\nserver = { ports = [\"x\"] }", "fail", "policy.toml:3: x is neither a port nor a range"),
    ] {
        std::fs::write(&file, text).expect("written");
        let mut doctor = command(&["doctor", "--json"]);
        doctor.env("VMMC_RUNTIME_DIR", directory.path()).env("VMMC_LIBRARY", "/nonexistent").env("VMMC_POLICY", &file);
        let report: serde_json::Value = serde_json::from_str(&finish(&mut doctor).output).expect("one JSON document");
        let check =
            report["checks"].as_array().and_then(|checks| checks.iter().find(|check| check["name"] == "policy"));
        let check = check.expect("a check of the policy");
        assert_eq!(check["verdict"], verdict, "{check}");
        assert!(check["found"].as_str().is_some_and(|said| said.contains(found)), "{check}");
    }
    let mut broker = command(&["broker"]);
    let outcome = finish(broker.env("VMMC_RUNTIME_DIR", directory.path()).env("VMMC_POLICY", &file));
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn a_program_is_looked_at_and_not_started() {
    let directory = Place::new();
    let other = directory.path().join("other");
    // How a 32-bit program begins.
    std::fs::write(&other, [b"\x7fELF\x01\x01\x01".as_slice(), &[0; 64]].concat()).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&other, mode).expect("it can be run");
    for (program, verdict) in [("cat", "ok"), (other.to_str().expect("text"), "fail"), ("/nonexistent", "fail")] {
        let mut doctor = command(&["doctor", "--json", program]);
        doctor.env("VMMC_RUNTIME_DIR", directory.path()).env("VMMC_LIBRARY", "/nonexistent");
        let report: serde_json::Value = serde_json::from_str(&finish(&mut doctor).output).expect("one JSON document");
        let check =
            report["checks"].as_array().and_then(|checks| checks.iter().rfind(|check| check["name"] == "program"));
        let check = check.expect("a check of the program");
        assert_eq!(check["verdict"], verdict, "{check}");
        assert!(check["found"].as_str().is_some_and(|said| said.contains(program)), "{check}");
    }
}
