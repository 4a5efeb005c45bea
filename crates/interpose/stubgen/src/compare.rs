//! The gate: what a built wrapper exports against what it has to export.

use std::collections::BTreeMap;
use std::fmt;

use crate::exports::Export;

/// One way in which a built DLL is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// An export that is not there.
    Missing(Export),
    /// An export that should not be there.
    Stray(Export),
    /// An ordinal with another name, or with one where there is none, or without.
    Name {
        /// What should be there.
        expected: Export,
        /// What is there.
        found: Export,
    },
    /// An export that the loader finds elsewhere than it should, or that is no forwarder, or should be none.
    Forward {
        /// What should be there.
        expected: Export,
        /// What is there.
        found: Export,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = |export: &Export| export.forward.clone().unwrap_or_else(|| "code of its own".to_owned());
        match self {
            Self::Missing(export) => write!(f, "{}: missing", export.label()),
            Self::Stray(export) => write!(f, "{}: the original has no such ordinal", export.label()),
            Self::Name { expected, found } => write!(f, "{}: the built DLL has {}", expected.label(), found.label()),
            Self::Forward { expected, found } => {
                write!(f, "{}: {} instead of {}", expected.label(), target(found), target(expected))
            }
        }
    }
}

/// What the loader is told to find elsewhere: whether that is compared too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarders {
    /// They must be the same. For a wrapper, compare with [`crate::plan::Plan::exports`].
    Compare,
    /// They may differ: a wrapper has code where its original has a forwarder, and the reverse.
    Ignore,
}

/// Compares ordinal by ordinal; empty if a program cannot tell the two apart.
pub fn differences(expected: &[Export], found: &[Export], forwarders: Forwarders) -> Vec<Difference> {
    let mut rest: BTreeMap<u16, &Export> = found.iter().map(|export| (export.ordinal, export)).collect();
    let mut differences = Vec::new();
    for expected in expected {
        match rest.remove(&expected.ordinal) {
            None => differences.push(Difference::Missing(expected.clone())),
            Some(found) => differences.extend(difference(expected, found, forwarders)),
        }
    }
    differences.extend(rest.into_values().cloned().map(Difference::Stray));
    differences
}

fn difference(expected: &Export, found: &Export, forwarders: Forwarders) -> Option<Difference> {
    let both = || (expected.clone(), found.clone());
    if expected.name != found.name {
        let (expected, found) = both();
        return Some(Difference::Name { expected, found });
    }
    // The loader takes a module's name in capitals and in small letters alike.
    let key = |export: &Export| export.forward.as_ref().map(|target| target.to_ascii_lowercase());
    let differs = forwarders == Forwarders::Compare && key(expected) != key(found);
    differs.then(both).map(|(expected, found)| Difference::Forward { expected, found })
}
