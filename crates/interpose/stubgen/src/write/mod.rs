//! Writes what a wrapper is built from. The texts depend on the plan alone, so that a test can tell whether they are old.

mod definition;
mod package;
mod stubs;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::plan::Plan;

/// Writes `exports.def`, `table.rs` and `stubs.rs` into a directory, which is made if need be.
///
/// # Errors
/// If a file cannot be written.
pub fn sources(plan: &Plan, directory: &Path) -> Result<()> {
    files(directory, &texts(plan))
}

/// Writes a whole package that cargo can build; its sources stand in `src`.
///
/// # Errors
/// If a file cannot be written.
pub fn package(plan: &Plan, directory: &Path) -> Result<()> {
    sources(plan, &directory.join("src"))?;
    files(directory, &package::texts(plan))
}

/// The files of [`sources`], by name.
pub fn texts(plan: &Plan) -> [(&'static str, String); 3] {
    [("exports.def", definition::text(plan)), ("table.rs", table::text(plan)), ("stubs.rs", stubs::text(plan))]
}

fn files(directory: &Path, texts: &[(&str, String)]) -> Result<()> {
    for (name, text) in texts {
        let path = directory.join(name);
        let parent = path.parent().unwrap_or(directory);
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
