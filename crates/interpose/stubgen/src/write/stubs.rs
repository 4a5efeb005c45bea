//! `stubs.rs`: the code behind the exports that are not the loader's affair.
//!
//! Rust's own names are never exported. Each export is a label in assembly that [`super::definition`] names, and what can be
//! said once is said in two fixed texts, `intercept.rs.in` and `system.rs.in`, which end up in the wrapper with lists after them.

use crate::plan::{Entry, Fate, Plan};

const INTERCEPT: &str = include_str!("intercept.rs.in");
const SYSTEM: &str = include_str!("system.rs.in");

const SYMBOL: &str = r#"
/// A symbol as assembly has it: in 32-bit programs an underscore stands before every one.
#[cfg(target_arch = "x86")]
macro_rules! symbol {
    ($symbol:ident) => {
        concat!("_", stringify!($symbol))
    };
}

#[cfg(not(target_arch = "x86"))]
macro_rules! symbol {
    ($symbol:ident) => {
        stringify!($symbol)
    };
}
"#;

pub(super) fn text(plan: &Plan) -> String {
    let chosen = |fate: Fate| plan.entries.iter().enumerate().filter(move |(_, entry)| entry.fate == fate);
    let intercepted: Vec<&Entry> = chosen(Fate::Intercept).map(|(_, entry)| entry).collect();
    let system: Vec<(usize, &Entry)> = chosen(Fate::System).collect();
    let mut text = heading(plan, !intercepted.is_empty(), !system.is_empty());
    if !intercepted.is_empty() {
        text += &INTERCEPT.replace("MODULE", &plan.module);
        text += &list("intercept", intercepted.iter().map(|entry| call(entry)));
        text += &list("check", intercepted.iter().filter_map(|entry| signature(entry)));
    }
    if !system.is_empty() {
        text += SYSTEM;
        text += &list("system", system.iter().map(|(index, entry)| format!("{} {index};", entry.symbol())));
    }
    text
}

/// The first lines, and what the parts that follow use.
fn heading(plan: &Plan, intercepts: bool, asks_the_system: bool) -> String {
    let mut text = format!(
        "// The code behind the exports of {}. Written by stubgen; change what it reads instead.\n",
        plan.library
    );
    if intercepts || asks_the_system {
        text += "\nuse core::arch::global_asm;\n";
    }
    if asks_the_system {
        text += "use core::ffi::{CStr, c_char, c_void};\nuse core::ptr::NonNull;\nuse core::{iter, ptr};\n";
        text += "\nuse super::table::{EXPORTS, LIBRARY};\n";
    }
    if intercepts || asks_the_system { text + SYMBOL } else { text }
}

/// A macro's call with one line for each thing.
fn list(name: &str, lines: impl Iterator<Item = String>) -> String {
    let lines: String = lines.map(|line| format!("    {line}\n")).collect();
    if lines.is_empty() { lines } else { format!("\n{name}! {{\n{lines}}}\n") }
}

/// `nvx_accept accept;`
fn call(entry: &Entry) -> String {
    format!("{} {};", entry.symbol(), entry.export.name.as_deref().unwrap_or_default())
}

/// `accept(_ _ _) 12;`, if all of it is known.
fn signature(entry: &Entry) -> Option<String> {
    let parameters = vec!["_"; entry.prototype.as_ref()?.parameters?].join(" ");
    Some(format!("{}({parameters}) {};", entry.export.name.as_ref()?, entry.stack_bytes()?))
}
