//! Wrappers from end to end: generated, built, their exports compared with the original's, and run under Wine.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Kind, Run, WIN32, WIN64};
use vmmc_stubgen::compare::{self, Forwarders};
use vmmc_stubgen::exports;
use vmmc_stubgen::plan::{Plan, Wishes};

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The built DLL has the plan's exports, and a program cannot tell it from the original by names and numbers.
fn same_exports(plan: &Plan, original: &Path, built: &Path) {
    let built = exports::read(built).unwrap();
    assert_eq!(compare::differences(&plan.exports(), &built, Forwarders::Compare), []);
    let original = exports::read(original).unwrap();
    assert_eq!(compare::differences(&original, &built, Forwarders::Ignore), []);
}

/// Wraps one of Wine's DLLs for both kinds of programs; the package, in which the 64-bit one stands.
fn wrap(name: &str, headers: &[&str], declared: usize) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let original = support::of_wine(name);
    let wishes = Wishes { headers: named(headers), ..Wishes::default() };
    let plan = support::generate(&original, &wishes, directory.path());
    assert!(plan.entries.len() - plan.without_prototype().len() >= declared, "{:?}", plan.without_prototype());
    for kind in [WIN32, WIN64] {
        same_exports(&plan, &original, &support::build(directory.path(), kind, name));
    }
    directory
}

/// Runs a program beside a wrapper of a DLL and without it; what both print.
fn same_output(fixture: &str, options: &[&str], package: &Path, library: &str) -> String {
    let program = package.join("program.exe");
    support::compile(WIN64, &program, &[fixture], options);
    let wrapped = support::wine(&program, library);
    assert!(wrapped.wrapped, "Wine has not loaded the wrapper");
    fs::remove_file(package.join(library).with_extension("dll")).unwrap();
    let alone = support::wine(&program, library);
    assert!(!alone.wrapped);
    assert_eq!(wrapped.printed, alone.printed);
    alone.printed
}

#[test]
fn a_wrapper_of_winmm_tells_the_time() {
    let package = wrap("winmm.dll", &["windows.h"], 160);
    assert_eq!(same_output("clock.c", &["-lwinmm"], package.path(), "winmm"), "clock runs\n");
}

#[test]
fn a_wrapper_of_ws2_32_sends_and_receives() {
    let package = wrap("ws2_32.dll", &["winsock2.h", "ws2tcpip.h"], 110);
    let printed = same_output("datagram.c", &["-lws2_32"], package.path(), "ws2_32");
    assert_eq!(printed, "sent 5\nreceived 5 hello from itself, last error 0\n");
}

/// The fixture's wrapper; one export more than the original has is wrapped, as if another version of it had it.
fn wrap_fixture(kind: Kind, package: &Path) -> PathBuf {
    let original = support::original(kind, package);
    let mut rows = String::from("ordinal,name,target_dll,target_name,i386_stdcall_argbytes\n");
    for export in exports::read(&original).unwrap().iter().filter(|export| !export.data) {
        let (module, target) = export.forward.as_deref().and_then(|f| f.split_once('.')).unwrap_or_default();
        rows += &format!("{},{},{module},{target},\n", export.ordinal, export.name.as_deref().unwrap_or_default());
    }
    let table = package.join("original.csv");
    fs::write(&table, rows + "40,gone,,,\n").unwrap();
    let wishes = Wishes {
        headers: named(&["original.h"]),
        module: Some("crate::calls".to_owned()),
        intercept: named(&["answered"]),
        ..Wishes::default()
    };
    let plan = support::generate(&table, &wishes, package);
    fs::copy(support::own("tests/fixtures/calls.rs"), package.join("src/calls.rs")).unwrap();
    let built = support::build(package, kind, "original.dll");
    same_exports(&plan, &table, &built);
    built
}

#[test]
fn every_kind_of_call_passes_through_a_stub_as_it_came() {
    let package = tempfile::tempdir().unwrap();
    let original = support::original(WIN64, &fs::canonicalize(package.path()).unwrap());
    support::install(&original);
    fs::remove_file(&original).unwrap();
    let program = package.path().join("guest.exe");
    support::compile(WIN64, &program, &["guest.c"], &[]);
    let alone = support::wine(&program, "original").printed;
    assert_eq!(alone.lines().count(), 18);
    assert!(alone.contains("mixed 7654321\n") && alone.contains("sum 21\n") && alone.contains("nameless 42\n"));

    let wrapper = wrap_fixture(WIN64, package.path());
    let Run { printed, wrapped } = support::wine(&program, "original");
    assert!(wrapped, "Wine has not loaded the wrapper");
    // One answers itself, and one is in the table although this original lacks it.
    let expected = alone.replace("answered 21\n", "answered 42\n") + "exception c0000139\n";
    assert_eq!(printed, expected);

    // Where the system's DLL should be, a wrapper finds itself: a call fails and does not go round for ever.
    support::install(&wrapper);
    assert_eq!(support::wine(&program, "original").printed, "exception c0000139\n");
}

#[test]
fn a_wrapper_for_32_bit_programs_has_the_same_exports() {
    wrap_fixture(WIN32, tempfile::tempdir().unwrap().path());
}
