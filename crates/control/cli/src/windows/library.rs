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

/// The file that is put into programs, or a sentence that says why there is none.
pub(crate) fn to_load() -> Result<PathBuf, String> {
    let library = find()?;
    copy(&library)
        .map_err(|error| format!("{}: no copy of it can be made in {}: {error}", library.display(), copies().display()))
}

/// Where the copies are kept.
pub(crate) fn copies() -> PathBuf {
    std::env::temp_dir().join("vmmc")
}

/// A copy of the library under a name of its own: beside the system's wsock32.dll, which the program may have loaded, and
/// under Wine, which takes its own for every file of that name.
fn copy(library: &Path) -> std::io::Result<PathBuf> {
    let found = std::fs::metadata(library)?;
    let changed = found.modified()?.duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_millis());
    let directory = copies();
    let copy = directory.join(format!("vmmc-{:x}-{changed:x}.dll", found.len()));
    if !copy.is_file() {
        std::fs::create_dir_all(&directory)?;
        // Made under another name, so that nobody loads a part of it.
        let part = copy.with_extension(std::process::id().to_string());
        std::fs::copy(library, &part)?;
        // Somebody else may have been first, and have loaded it.
        if std::fs::rename(&part, &copy).is_err() {
            std::fs::remove_file(&part)?;
        }
    }
    Ok(copy)
}

fn is_file(path: &Path) -> Option<PathBuf> {
    path.is_file().then(|| path.to_owned())
}
