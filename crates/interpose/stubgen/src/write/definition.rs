//! `exports.def`, which tells the linker the name and the ordinal of every export. The same file serves 32- and 64-bit programs:
//! the linker itself puts the underscore before a 32-bit symbol.

use crate::plan::{Entry, Fate, Plan};

pub(super) fn text(plan: &Plan) -> String {
    let lines: String = plan.entries.iter().map(line).collect();
    format!("; The exports of {}. Written by stubgen; change what it reads instead.\nEXPORTS\n{lines}", plan.library)
}

/// One export. What has no name is given one here all the same, for the linker asks for it; `NONAME` then leaves it out.
fn line(entry: &Entry) -> String {
    let symbol = entry.symbol();
    let name = entry.export.name.as_ref().unwrap_or(&symbol);
    let noname = if entry.export.name.is_none() { " NONAME" } else { "" };
    let target = if let Fate::Forward(target) = &entry.fate { format!("\"{target}\"") } else { symbol.clone() };
    format!("    \"{name}\" = {target} @{}{noname}\n", entry.export.ordinal)
}
