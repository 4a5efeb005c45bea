//! `table.rs`: every export of the original and what becomes of it, as data.

use crate::plan::{Entry, Fate, Plan};

const TYPES: &str = r#"
/// One export of the original.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "a table says everything; who reads it takes what he needs")]
pub(crate) struct Export {
    /// The number by which it can be imported.
    pub(crate) ordinal: u16,
    /// The name by which it can be imported, if it has one.
    pub(crate) name: Option<&'static CStr>,
    /// What becomes of it.
    pub(crate) fate: Fate,
    /// Bytes of arguments that it takes off the stack of a 32-bit program, as far as that is known.
    pub(crate) stack_bytes: Option<u16>,
    /// What the system's headers say about it.
    pub(crate) prototype: Option<&'static str>,
}

/// What becomes of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "not every wrapper has all of them")]
pub(crate) enum Fate {
    /// A function of this wrapper answers.
    Intercept,
    /// The loader finds it elsewhere: `module.name`.
    Forward(&'static str),
    /// A stub finds it in the system's own DLL of this name, at the first call.
    System,
}
"#;

pub(super) fn text(plan: &Plan) -> String {
    let (library, entries) = (&plan.library, &plan.entries);
    let rows: String = entries.iter().map(row).collect();
    format!(
        "// The exports of {library}. Written by stubgen; change what it reads instead.\n\n\
         use core::ffi::CStr;\n\n\
         #[allow(unused_imports, reason = \"not every wrapper has all of them\")]\n\
         use Fate::{{Forward, Intercept, System}};\n{TYPES}\n\
         /// The file name of the original.\n\
         #[allow(dead_code, reason = \"stubs ask for it, and not every wrapper has stubs\")]\n\
         pub(crate) const LIBRARY: &CStr = c{library:?};\n\n\
         /// Every export, by ordinal.\n\
         #[rustfmt::skip]\n\
         #[allow(dead_code, reason = \"stubs ask for it, and not every wrapper has stubs\")]\n\
         pub(crate) const EXPORTS: &[Export] = &[\n{rows}];\n"
    )
}

fn row(entry: &Entry) -> String {
    let name = entry.export.name.as_ref().map_or_else(|| "None".to_owned(), |name| format!("Some(c{name:?})"));
    let fate = match &entry.fate {
        Fate::Intercept => "Intercept".to_owned(),
        Fate::Forward(target) => format!("Forward({target:?})"),
        Fate::System => "System".to_owned(),
    };
    let stack_bytes = entry.stack_bytes();
    let prototype = entry.prototype.as_ref().map(|prototype| &prototype.text);
    let ordinal = entry.export.ordinal;
    format!(
        "    Export {{ ordinal: {ordinal}, name: {name}, fate: {fate}, stack_bytes: {stack_bytes:?}, prototype: {prototype:?} }},\n"
    )
}
