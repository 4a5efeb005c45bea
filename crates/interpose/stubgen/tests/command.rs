//! The command as people and gates use it.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::{WIN32, WIN64};

fn stubgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stubgen")).args(arguments).output().unwrap()
}

/// How it ended, and what it printed.
fn ended(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = stubgen(arguments);
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_dll_is_like_itself_and_unlike_one_with_other_exports() {
    let directory = tempfile::tempdir().unwrap();
    let original = support::original(WIN64, directory.path());
    let (code, printed) = ended(&["check", text(&original), text(&original)]);
    assert_eq!((code, &*printed), (Some(0), "exports expected: 12, differences: 0\n"));

    let definition = fs::read_to_string(support::own("tests/fixtures/original.def")).unwrap();
    let other =
        definition.replace("mixed @3", "mixed @2").replace("sum @9", "sum @9 NONAME").replace("@12 NONAME", "@12");
    let (file, built) = (directory.path().join("other.def"), directory.path().join("other.dll"));
    fs::write(&file, other).unwrap();
    support::compile(WIN64, &built, &["original.c"], &["-shared", text(&file)]);
    let (code, printed) = ended(&["check", text(&original), text(&built)]);
    let expected = "mixed @3: missing\n\
                    sum @9: the built DLL has @9\n\
                    @12: the built DLL has nameless @12\n\
                    mixed @2: the original has no such ordinal\n\
                    exports expected: 12, differences: 4\n";
    assert_eq!((code, &*printed), (Some(1), expected));
}

#[test]
fn the_wishes_decide_what_a_built_wrapper_must_forward() {
    let directory = tempfile::tempdir().unwrap();
    let original = support::original(WIN32, directory.path());
    let wishes = directory.path().join("wishes.toml");
    fs::write(&wishes, "headers = [\"windows.h\"]\nforward = { counter = \"another.counter\" }\n").unwrap();
    let (code, printed) = ended(&["check", text(&original), text(&original), "--wishes", text(&wishes)]);
    let expected =
        "counter @21: code of its own instead of another.counter\nexports expected: 12, differences: 1\n".to_owned();
    assert_eq!((code, printed), (Some(1), expected));
}

#[test]
fn what_it_writes_and_what_it_did_not_find_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("wrapper");
    let original = support::of_wine("version.dll");
    let (code, printed) = ended(&["generate", text(&original), "--output", text(&output), "--header", "stdio.h"]);
    assert_eq!(code, Some(0));
    assert!(printed.starts_with("version.dll: 16 exports, 0 intercepted, 2 forwarded, 14 left to the system's DLL\n"));
    assert!(printed.contains("no prototype found for 16: "), "{printed}");
    let files: Vec<_> = ["exports.def", "table.rs", "stubs.rs"].map(|name| output.join(name).is_file()).into();
    assert_eq!(files, [true; 3]);
    let (_, printed) = ended(&["generate", text(&original), "--output", text(&output)]);
    assert!(!printed.contains("no prototype"), "windows.h declares them all: {printed}");
}

#[test]
fn what_cannot_be_done_is_an_error_that_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let original = support::original(WIN64, directory.path());
    let output = text(directory.path());
    let refused = |wishes: &str| {
        let file = directory.path().join("wishes.toml");
        fs::write(&file, wishes).unwrap();
        let (code, printed) = ended(&["generate", text(&original), "--output", output, "--wishes", text(&file)]);
        assert_eq!(code, Some(2), "{printed}");
        printed
    };
    assert!(refused("").contains("data and not functions; say under [forward] where they are: counter @21"));
    assert!(refused("intercept = [\"many\"]").contains("asks for a `module`"));
    assert!(refused("system = [\"unheard_of\"]").contains("unheard_of is wished for"));
    assert!(refused("system = [\"many\", \"many\"]").contains("twice"));
    assert!(refused("module = \"crate::calls\"\nintercept = [\"?odd@@YAXXZ\"]").contains("no name of a Rust function"));
    assert!(refused("entercept = []").contains("entercept"));
    let (code, printed) = ended(&["list", "/nowhere.dll"]);
    assert!(code == Some(2) && printed.contains("/nowhere.dll"), "{printed}");
}

#[test]
fn exports_are_listed_with_their_kinds() {
    let directory = tempfile::tempdir().unwrap();
    let (code, printed) = ended(&["list", text(&support::original(WIN64, directory.path()))]);
    assert_eq!(code, Some(0));
    for line in ["    3 mixed\n", "   12 NONAME\n", "   21 counter (data)\n", "   31 by_number = ws2_32.#12\n"] {
        assert!(printed.contains(line), "{line:?} in {printed}");
    }
}
