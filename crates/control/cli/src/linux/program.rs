//! Which file a command's name means, and why it cannot be run, in the words and codes of shells.

use crate::failure::Failure;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const NOT_RUNNABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// Where a command is looked for if the environment has no PATH.
const PATH_DEFAULT: &str = "/bin:/usr/bin";

/// The file that `name` means: itself if it has a slash, else the first executable of that name in PATH.
pub(super) fn find(name: &OsStr) -> Result<PathBuf, Failure> {
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return look(&path).map(|()| path);
    }
    let list = std::env::var_os("PATH").unwrap_or_else(|| PATH_DEFAULT.into());
    let not_found = Failure::of_start(NOT_FOUND, format!("{}: command not found", name.to_string_lossy()));
    if name.is_empty() {
        return Err(not_found);
    }
    let mut failure = not_found;
    for directory in std::env::split_paths(&list) {
        // An empty entry means the current directory; the `./` keeps the name from being searched for again.
        let directory = if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
        let path = directory.join(name);
        match look(&path) {
            Ok(()) => return Ok(path),
            Err(why) if path.is_file() => failure = why,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// Whether the file is there and may be executed.
fn look(path: &Path) -> Result<(), Failure> {
    let metadata = std::fs::metadata(path).map_err(|error| explain(path, &error))?;
    if metadata.is_dir() {
        return Err(Failure::of_start(NOT_RUNNABLE, format!("{}: is a directory", path.display())));
    }
    let denied = rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_err();
    if denied || metadata.permissions().mode() & 0o111 == 0 {
        return Err(Failure::of_start(
            NOT_RUNNABLE,
            format!("{}: permission denied: it is not executable", path.display()),
        ));
    }
    Ok(())
}

/// What to say and return when the system would not run `path`.
pub(super) fn explain(path: &Path, error: &std::io::Error) -> Failure {
    let name = path.display();
    match error.kind() {
        ErrorKind::NotFound if path.exists() => {
            Failure::of_start(NOT_FOUND, format!("{name}: its interpreter or loader does not exist"))
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory => Failure::of_start(NOT_FOUND, format!("{name}: no such file")),
        _ => Failure::of_start(NOT_RUNNABLE, format!("{name}: {error}")),
    }
}
