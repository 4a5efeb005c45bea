//! `vmmc.exe doctor`: what it says of the machine, of the library, and of a program with the one DLL or the other beside it.

use std::fs;

use serde_json::Value;
use vmmc_tests_windows::{Ends, Stage, kernel_road_only, programs};

/// Where the first header says where the second is, and where that names the machine.
const SECOND_HEADER: usize = 0x3c;
const MACHINE: usize = 4;
const X86: [u8; 2] = [0x4c, 0x01];

/// A check's verdict and what was found, of one run of `vmmc doctor`.
fn said(stage: &Stage, words: &[&str], name: &str) -> (String, String) {
    let said = stage.vmmc(&[&["doctor", "--json"], words].concat()).finish().stdout;
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}:\n{said}"));
    let mut checks = said["checks"].as_array().into_iter().flatten();
    let check = checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}:\n{said:#}"));
    let word = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (word("verdict"), word("found"))
}

#[track_caller]
fn expect(stage: &Stage, words: &[&str], name: &str, verdict: &str, found: &str) {
    let said = said(stage, words, name);
    assert!(said.0 == verdict && said.1.contains(found), "{name} is to be {verdict}, {found}: {said:?}");
}

/// The DLL as it would be for another machine.
fn for_x86(mut dll: Vec<u8>) -> Vec<u8> {
    let start = u32::from_le_bytes(dll[SECOND_HEADER..SECOND_HEADER + 4].try_into().expect("four bytes")) as usize;
    dll[start + MACHINE..start + MACHINE + 2].copy_from_slice(&X86);
    dll
}

#[test]
fn it_tells_what_keeps_a_program_from_being_accelerated() {
    const BESIDE: &str = "wsock32.dll beside it";
    if kernel_road_only() {
        return;
    }
    let stage = Stage::new("doctor", Ends::Both, &[&programs::app("echo.exe")]);
    let (ours, with, without) = (stage.path("with/wsock32.dll"), &["../with/echo.exe"], &["echo.exe"]);
    for name in ["KnownDLLs", "library", "copy of the library", "broker", "wsock32.dll beside a program"] {
        expect(&stage, &[], name, "ok", "");
    }
    expect(&stage, with, "program", "ok", "64-bit");
    expect(&stage, with, BESIDE, "ok", "ours, 64-bit");
    expect(&stage, with, "folder", "ok", "can be written to");
    expect(&stage, without, BESIDE, "ok", "there is none");
    expect(&stage, &["nothing.exe"], "program", "fail", "is no file");
    expect(&stage, &[r"C:\windows\system32\cmd.exe"], BESIDE, "warn", "another one than ours");

    let dll = fs::read(&ours).expect("the DLL");
    fs::write(&ours, for_x86(dll)).expect("the DLL, to write");
    expect(&stage, with, BESIDE, "fail", "for 32-bit programs");
    expect(&stage, &[], "library", "fail", "for 32-bit programs");
    fs::write(&ours, "no DLL").expect("the DLL, to write");
    expect(&stage, with, BESIDE, "warn", "another one than ours");
    expect(&stage, &[], "library", "fail", "another one than ours");
    fs::remove_file(&ours).expect("the DLL was there");
    expect(&stage, &[], "library", "fail", "is not there");
    expect(&stage, &[], "copy of the library", "fail", "is not there");
}
