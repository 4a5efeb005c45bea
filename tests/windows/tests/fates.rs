//! `docs/windows-calls.md` against the system's DLLs and the library's sources: what becomes of each call is decided, and so it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
/// The DLLs all of whose functions are decided.
const WHOLE: [&str; 2] = ["ws2_32", "mswsock"];
const WINE_DLLS: &str = "/usr/lib/x86_64-linux-gnu/wine/x86_64-windows";
/// What Windows has, as far as its import libraries tell.
const IMPORT_LIBRARIES: &str = "/usr/x86_64-w64-mingw32/lib";
/// Fates of what is not intercepted.
const LEFT_ALONE: [&str; 2] = ["passes", "unseen"];

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(REPOSITORY).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Each name of the page, with the fate in its row.
fn decided() -> BTreeMap<String, String> {
    let page = text("docs/windows-calls.md");
    let mut fates = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for name in cells[1].split('`').map(str::trim).filter(|name| !name.is_empty()) {
            let before = fates.insert(name.to_owned(), cells[2].to_owned());
            assert!(before.is_none(), "{name} stands in two rows");
        }
    }
    assert!(fates.len() > 100, "the page is not understood");
    fates
}

/// A name's fate: its own row's, else that of the longest beginning that has one.
fn fate<'a>(fates: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let beginnings = (1..=name.len()).rev().map(|len| format!("{}*", &name[..len]));
    std::iter::once(name.to_owned()).chain(beginnings).find_map(|key| fates.get(&key)).map(String::as_str)
}

/// The functions that a program can import from a DLL, of Wine's or of Windows'.
fn functions(dll: &str) -> BTreeSet<String> {
    let library = format!("{IMPORT_LIBRARIES}/lib{dll}.a");
    let listed = Command::new("x86_64-w64-mingw32-nm").args(["-g", &library]).output().expect("nm of mingw");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut names: BTreeSet<String> =
        listed.lines().filter_map(|line| line.split_once(" T ")).map(|(_, name)| name.to_owned()).collect();
    assert!(names.len() > 20, "{library} is not understood");
    let exports = vmmc_stubgen::exports::read(&Path::new(WINE_DLLS).join(format!("{dll}.dll"))).expect("Wine's DLL");
    names.extend(exports.into_iter().filter_map(|export| export.name));
    names
}

/// The names in the body of a macro's call, of which each is followed by a comma or the end.
fn words(source: &str) -> impl Iterator<Item = &str> {
    source.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// What the library puts its own function before.
fn intercepted() -> BTreeSet<String> {
    let source = text("crates/interpose/wsock32/src/redirect.rs");
    let (_, list) = source.split_once("= redirections! {\n").expect("the redirections");
    let (list, _) = list.split_once("\n};").expect("their end");
    let mut names = BTreeSet::new();
    for room in list.split('}') {
        names.extend(room.split_once('{').into_iter().flat_map(|(_, names)| words(names)).map(str::to_owned));
    }
    let extensions = text("crates/interpose/wsock32/src/extensions.rs");
    let given = extensions.split("symbol::").skip(1).filter_map(|rest| words(rest).next());
    names.extend(given.map(str::to_owned));
    assert!(names.contains("send") && names.contains("DisconnectEx"), "the sources are not understood");
    names
}

#[test]
fn every_function_of_the_sockets_dlls_has_a_fate() {
    let fates = decided();
    let undecided: Vec<String> =
        WHOLE.iter().flat_map(|dll| functions(dll)).filter(|name| fate(&fates, name).is_none()).collect();
    assert!(undecided.is_empty(), "docs/windows-calls.md says nothing of {undecided:?}");
}

#[test]
fn what_is_said_to_be_intercepted_is_and_nothing_else() {
    let (fates, intercepted) = (decided(), intercepted());
    let said: BTreeSet<String> =
        fates.iter().filter(|(_, fate)| !LEFT_ALONE.contains(&fate.as_str())).map(|(name, _)| name.clone()).collect();
    let unsaid: Vec<_> = intercepted.difference(&said).collect();
    let undone: Vec<_> = said.difference(&intercepted).collect();
    assert!(
        unsaid.is_empty() && undone.is_empty(),
        "intercepted and not said: {unsaid:?}; said and not so: {undone:?}"
    );
}
