//! `libvmmc.so` exports what the table says is intercepted, and nothing else.

mod library;

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, Sym};
use std::collections::BTreeSet;
use vmmc_calls::gate::{Difference, compare};

fn exports(file: &[u8]) -> BTreeSet<&str> {
    let header = FileHeader64::<Endianness>::parse(file).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, file).unwrap();
    let symbols = sections.symbols(endian, file, object::elf::SHT_DYNSYM).unwrap();
    let defined = symbols
        .iter()
        .filter(|symbol| !symbol.is_undefined(endian) && !symbol.name(endian, symbols.strings()).unwrap().is_empty());
    defined.map(|symbol| std::str::from_utf8(symbol.name(endian, symbols.strings()).unwrap()).unwrap()).collect()
}

#[test]
fn the_library_exports_what_the_table_says() {
    let file = std::fs::read(library::path()).unwrap();
    let exports = exports(&file);
    assert!(exports.contains("read"), "the library's symbols have not been found");
    assert_eq!(compare(&exports), Difference { missing: vec![], surplus: vec![] });
}
