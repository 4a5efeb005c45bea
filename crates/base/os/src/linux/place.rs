//! The directory in which a listener and those who speak to it meet, and whether it can be trusted.
use super::channel::SOCKET;
use super::process;
use crate::channel::{Access, Refusal};
use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;
use std::path::PathBuf;

/// What a user's own place begins with if nobody says where; the user's number follows.
pub const PLACE_DEFAULT: &str = "/tmp/vmmc-";
/// Where the one who listens for all users is found.
pub const PLACE_OF_SYSTEM: &str = "/run/vmmc";
/// Longest path of a place that leaves room for the socket's name in a socket address (108 bytes with the final zero).
pub const PLACE_MAX: usize = 107 - 1 - SOCKET.len();
/// Permission to write for others than the owner.
const WRITE_OTHERS: u32 = 0o022;

/// Whether these bytes can name a place: an absolute path.
#[must_use]
pub fn is_place(name: &[u8]) -> bool {
    name.first() == Some(&b'/') && !name.contains(&0) && name.len() <= PLACE_MAX
}

/// Looks whether only this user, root, or whoever set this container up can have put things into the place.
///
/// A directory that is mounted into a user namespace from outside may belong to a user who has no number there. Nobody
/// inside can be that user; so if nobody else could have put the directory where it stands, it was root's doing.
///
/// # Errors
/// `Absent` if it does not exist; `Untrusted` if it is no directory, another user's, or writable for others.
pub fn check_place(place: &[u8]) -> Result<(), Refusal> {
    let found = rustix::fs::lstat(place)?;
    let is_safe = match owner(&found) {
        Owner::Own => is_closed_directory(&found),
        Owner::Unknown => is_closed_directory(&found) && above(place).all(is_safe_above),
        Owner::Stranger => false,
    };
    if is_safe { Ok(()) } else { Err(Refusal::Untrusted) }
}

/// Whose a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// This user's or root's.
    Own,
    /// Somebody's who has no number in this user namespace.
    Unknown,
    /// Another user's.
    Stranger,
}

fn owner(found: &Stat) -> Owner {
    // First: this user may have no number here either, and share what stands for it with all others.
    if process::is_nobodys_number(found.st_uid) == Some(true) {
        Owner::Unknown
    } else if found.st_uid == rustix::process::geteuid().as_raw() || found.st_uid == 0 {
        Owner::Own
    } else {
        Owner::Stranger
    }
}

fn is_closed_directory(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode).is_dir() && found.st_mode & WRITE_OTHERS == 0
}

fn is_safe_above(directory: &[u8]) -> bool {
    rustix::fs::lstat(directory).is_ok_and(|found| is_closed_directory(&found) && owner(&found) != Owner::Stranger)
}

/// The directories above a path, from the root on.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at.max(1));
    slashes.filter_map(|end| path.get(..end))
}

/// The directory that the session gave this user for such things (`XDG_RUNTIME_DIR`). One that is another user's, as `su`
/// leaves it behind, counts as none.
#[must_use]
pub fn session_place() -> Option<PathBuf> {
    let place = std::env::var_os("XDG_RUNTIME_DIR")?;
    let user = rustix::process::geteuid().as_raw();
    let is_own = |found: Stat| owner(&found) == Owner::Own && found.st_uid == user;
    let bytes = place.as_encoded_bytes();
    let is_fit = is_place(bytes) && check_place(bytes).is_ok() && rustix::fs::lstat(bytes).is_ok_and(is_own);
    is_fit.then(|| place.into())
}

/// The place at which somebody listens for all users, if there is a socket there.
#[must_use]
pub fn system_place() -> Option<PathBuf> {
    let place = PathBuf::from(PLACE_OF_SYSTEM);
    check_place(PLACE_OF_SYSTEM.as_bytes()).ok()?;
    let found = rustix::fs::statat(rustix::fs::CWD, place.join(SOCKET), AtFlags::SYMLINK_NOFOLLOW).ok()?;
    (FileType::from_raw_mode(found.st_mode) == FileType::Socket).then_some(place)
}

/// Makes the directory, and those above it, for this user alone or for all to enter.
pub(super) fn make(path: &[u8], access: Access) -> rustix::io::Result<()> {
    for directory in above(path).skip(1) {
        make_one(directory, Mode::RWXU)?;
    }
    if access == Access::Owner {
        return make_one(path, Mode::RWXU);
    }
    let open = Mode::from_raw_mode(0o755);
    make_one(path, open)?;
    // The mask of this process may have taken bits away.
    rustix::fs::chmod(path, open)
}

/// What cannot be made may be there already; what is there is looked at by its user.
fn make_one(path: &[u8], mode: Mode) -> rustix::io::Result<()> {
    match rustix::fs::mkdir(path, mode) {
        Err(Errno::EXIST) => Ok(()),
        Err(error) if rustix::fs::lstat(path).is_err() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directories_above_a_place_are_all_looked_at() {
        let all: Vec<_> = above(b"/a/bc/d").map(|path| String::from_utf8_lossy(path).into_owned()).collect();
        assert_eq!(all, ["/", "/a", "/a/bc"]);
    }
}
