//! What the gate compares: symbols that somebody found in a library, against the table and the list beside it.

use crate::{TABLE, intercepted};
use std::collections::BTreeSet;

/// Functions that somebody has looked at and that neither take nor make a descriptor, one a line.
const NO_DESCRIPTOR: &str = include_str!("../no_descriptor.txt");

/// The C library's functions that nobody has decided on: in neither the table nor the list.
#[must_use]
pub fn undecided<'a>(functions: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let decided: BTreeSet<&str> = TABLE.iter().flat_map(crate::Row::names).chain(NO_DESCRIPTOR.lines()).collect();
    functions.difference(&decided).copied().collect()
}

/// Symbols that are decided on twice.
#[must_use]
pub fn decided_twice() -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    let all = TABLE.iter().flat_map(crate::Row::names).chain(NO_DESCRIPTOR.lines());
    all.filter(|name| !seen.insert(*name)).collect()
}

/// How a library's exports differ from the table's intercepted rows.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// Rows that the library does not export.
    pub missing: Vec<&'static str>,
    /// Exports that no intercepted row names.
    pub surplus: Vec<&'a str>,
}

/// Compares `libvmmc.so`'s exports with the table. Both lists are empty if they agree.
#[must_use]
pub fn compare<'a>(exports: &BTreeSet<&'a str>) -> Difference<'a> {
    let rows: BTreeSet<&'static str> = intercepted().collect();
    Difference {
        missing: rows.iter().filter(|name| !exports.contains(*name)).copied().collect(),
        surplus: exports.iter().filter(|name| !rows.contains(*name)).copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_that_nobody_knows_is_undecided() {
        assert_eq!(
            undecided(&BTreeSet::from(["read", "strlen", "read_a_descriptor_newly"])),
            ["read_a_descriptor_newly"]
        );
    }

    #[test]
    fn nothing_is_decided_twice() {
        assert_eq!(decided_twice(), [""; 0]);
    }

    #[test]
    fn what_is_exported_too_much_or_too_little_is_named() {
        let mut exports: BTreeSet<&str> = intercepted().collect();
        assert_eq!(compare(&exports), Difference { missing: vec![], surplus: vec![] });
        exports.remove("read");
        exports.insert("strlen");
        assert_eq!(compare(&exports), Difference { missing: vec!["read"], surplus: vec!["strlen"] });
    }
}
