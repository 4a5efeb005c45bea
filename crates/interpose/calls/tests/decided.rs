//! Every function of this machine's C library is decided on, and the documentation says how.

use object::elf::{FileHeader64, STT_FUNC, STT_GNU_IFUNC};
use object::read::elf::{FileHeader, Sym};
use object::{Endianness, SymbolIndex};
use std::collections::BTreeSet;
use std::fs;

/// Where the running C library stands.
fn c_library() -> Vec<u8> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path =
        maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("/libc.so")).unwrap();
    fs::read(path).unwrap()
}

/// The functions that a library exports, without those that glibc keeps to its own parts (GLIBC_PRIVATE).
fn functions(file: &[u8]) -> BTreeSet<&str> {
    let header = FileHeader64::<Endianness>::parse(file).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, file).unwrap();
    let symbols = sections.symbols(endian, file, object::elf::SHT_DYNSYM).unwrap();
    let versions = sections.versions(endian, file).unwrap();
    let public = |index: SymbolIndex| {
        let Some(versions) = &versions else { return true };
        let version = versions.version(versions.version_index(endian, index)).unwrap();
        version.is_none_or(|version| version.name() != b"GLIBC_PRIVATE")
    };
    symbols
        .enumerate()
        .filter(|(index, symbol)| {
            !symbol.is_undefined(endian) && matches!(symbol.st_type(), STT_FUNC | STT_GNU_IFUNC) && public(*index)
        })
        .map(|(_, symbol)| std::str::from_utf8(symbol.name(endian, symbols.strings()).unwrap()).unwrap())
        .collect()
}

#[test]
fn nobody_has_overlooked_a_function() {
    let library = c_library();
    let functions = functions(&library);
    assert!(functions.len() > 1000 && functions.contains("read"), "the C library's symbols have not been found");
    let undecided = vmmc_calls::gate::undecided(&functions);
    assert!(
        undecided.is_empty(),
        "decide on each of these, in crates/interpose/calls/src/table.rs if it takes or makes a descriptor, else in no_descriptor.txt: {undecided:?}"
    );
}

#[test]
fn the_documentation_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/compatibility.md");
    let current = fs::read_to_string(path).unwrap_or_default() == vmmc_calls::compatibility();
    assert!(current, "run: cargo run -q -p vmmc-calls --example compatibility > docs/compatibility.md");
}

#[test]
fn what_is_said_to_be_compared_is() {
    let apps = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/apps");
    for feature in vmmc_calls::FEATURES {
        for program in feature.proof {
            assert!(
                fs::exists(format!("{apps}/{program}.c")).unwrap(),
                "{:?} is said to be compared by {program}, which is not there",
                feature.names
            );
        }
        assert!(feature.road != vmmc_calls::Road::Limit || !feature.note.is_empty(), "{:?}: say how", feature.names);
    }
}
