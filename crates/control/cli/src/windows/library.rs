//! Where our `wsock32.dll` is.

use std::path::{Path, PathBuf};

/// Names the library's file, where it does not lie beside the command.
pub(crate) const VARIABLE: &str = "VMMC_LIBRARY";
/// What it is called, as the system's own is.
pub(crate) const FILE_NAME: &str = "wsock32.dll";

/// The library's absolute path, or a sentence that says where it was looked for.
pub(crate) fn find() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let path = std::path::absolute(&named).map_err(|error| format!("{VARIABLE}: {error}"))?;
        return is_file(&path).ok_or_else(|| format!("{VARIABLE}={} is no file", path.display()));
    }
    let command = std::env::current_exe().map_err(|error| format!("the command's own place is unknown: {error}"))?;
    let beside = command.with_file_name(FILE_NAME);
    is_file(&beside).ok_or_else(|| format!("{} is not there", beside.display()))
}

fn is_file(path: &Path) -> Option<PathBuf> {
    path.is_file().then(|| path.to_owned())
}
