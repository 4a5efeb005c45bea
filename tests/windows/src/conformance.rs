//! Wine's own tests of the sockets interface, compiled alone: one program that runs any one of its test functions.
//!
//! They are `dlls/ws2_32/tests/sock.c` of Wine's sources. As a whole they are one function after the other; here each gets a
//! process, so that a crash or a hang is one function's, and results can be compared function by function.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{Build, Linked};
use crate::source::{Source, succeed};
use crate::wine;

const WINE: Source = Source {
    name: "wine",
    pool: "w/wine/wine_8.0%7erepack.orig.tar.xz",
    sha256: "537c6889647a528ee9092b109e65b0fde288ba55d535044907cf168ca6f6e745",
    parts: &["*/dlls/ws2_32/tests", "*/include"],
};

/// What of ours belongs to them.
const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance");

/// These want to run before WinSock is started.
const WITHOUT_START: [&str; 2] = ["test_WithoutWSAStartup", "test_WithWSAStartup"];

/// The program and the names of its test functions, one of which is its argument.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The program.
    pub program: Linked,
    /// Its test functions in Wine's order.
    pub functions: Vec<String>,
}

/// Builds the suite.
///
/// # Panics
///
/// If Wine's sources are not as they were.
#[must_use]
pub fn suite() -> Suite {
    let wine = WINE.directory();
    let tests = wine.join("dlls/ws2_32/tests");
    let text = fs::read_to_string(tests.join("sock.c")).expect("Wine's tests");
    let functions = functions(&text);
    assert!(functions.len() > 50, "only {} test functions were found", functions.len());
    let generated = wine::room("generated");
    let (driver, list) = (generated.join("driver.c"), generated.join("list.c"));
    fs::write(&driver, driver_text(&functions)).expect("a driver");
    fs::write(&list, list_text(&functions)).expect("a list of tests");
    let program = Build {
        file: "conformance.exe",
        sources: vec![driver, list, Path::new(OURS).join("missing.c")],
        include: vec![tests, OURS.into()],
        include_after: vec![wine.join("include")],
        flags: &["-include", concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/missing.h")],
        link: vec![import_library(&generated).to_string_lossy().into_owned()],
        sockets: &["-lws2_32", "-liphlpapi", "-luser32", "-lntdll"],
    }
    .make();
    Suite { program, functions }
}

/// Every function that Wine's one test calls, in its order; `do_test` stands for the series of client and server tests.
fn functions(text: &str) -> Vec<String> {
    let (_, body) = text.split_once("START_TEST( sock )").expect("Wine's test");
    let calls = body.lines().filter_map(|line| line.trim().strip_suffix("();"));
    let named = calls.filter(|name| name.starts_with("test_")).map(str::to_owned);
    named.chain(["do_test".to_owned()]).collect()
}

/// Wine's source with an entry for each function.
fn driver_text(functions: &[String]) -> String {
    let mut text = "#include \"sock.c\"\n".to_owned();
    for name in functions {
        let call = match name.as_str() {
            "do_test" => "Init(); for (int i = 0; i < ARRAY_SIZE(tests); i++) do_test(&tests[i]); Exit();".to_owned(),
            name if WITHOUT_START.contains(&name) => format!("{name}();"),
            name => format!("Init(); {name}(); Exit();"),
        };
        let _ = writeln!(text, "void func_{name}(void) {{ {call} }}");
    }
    text
}

/// The list from which Wine's test driver takes its tests.
fn list_text(functions: &[String]) -> String {
    let mut text =
        "#define STANDALONE\n#include <windows.h>\n#include <stdio.h>\n#include \"wine/test.h\"\n".to_owned();
    for name in functions {
        let _ = writeln!(text, "extern void func_{name}(void);");
    }
    text.push_str("const struct test winetest_testlist[] = {\n");
    for name in functions {
        let _ = writeln!(text, "    {{ \"{name}\", func_{name} }},");
    }
    text.push_str("    { 0, 0 }\n};\n");
    text
}

/// An import library for those calls that the tests are to take from `wsock32.dll`.
fn import_library(directory: &Path) -> PathBuf {
    let library = directory.join("libwsock32.a");
    let mut dlltool = Command::new("x86_64-w64-mingw32-dlltool");
    succeed(dlltool.arg("-d").arg(Path::new(OURS).join("wsock32.def")).arg("-l").arg(&library));
    library
}
