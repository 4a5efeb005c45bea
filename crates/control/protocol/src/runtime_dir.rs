//! Where the broker listens. On Linux it is a directory; on Windows only a name, of which the pipe's is made.

use crate::ControlError;
use std::path::PathBuf;
use vmmc_os::channel::{PLACE_DEFAULT, PLACE_MAX, check_place, is_place, session_place, system_place};

/// Longest path of a directory: on Linux the socket's name has to fit into a socket address behind it.
pub const DIR_MAX: usize = PLACE_MAX;

/// The runtime directory's path, in a small fixed buffer.
#[derive(Clone, Copy)]
pub struct RuntimeDir {
    bytes: [u8; DIR_MAX],
    len: usize,
}

impl RuntimeDir {
    /// The directory at `path`; `None` if the path is too long ([`DIR_MAX`]), contains a zero byte, or (on Linux) is relative.
    #[must_use]
    pub fn at(path: &[u8]) -> Option<Self> {
        let mut bytes = [0; DIR_MAX];
        bytes.get_mut(..path.len())?.copy_from_slice(path);
        is_place(path).then_some(Self { bytes, len: path.len() })
    }

    /// The directory that this process's environment asks for: what [`crate::settings::RUNTIME_DIR`] names, else the one of
    /// the broker for all users if there is one, else `vmmc` in the session's own, else the user's own. An unusable value
    /// counts as none. For commands and at a guest's start.
    #[must_use]
    pub fn of_environment() -> Option<PathBuf> {
        let explicit = std::env::var_os(crate::settings::RUNTIME_DIR).map(PathBuf::from);
        choose(explicit, system_place(), session_place(), vmmc_os::process::user())
    }

    /// Its path.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Looks whether only this user (or root) can have put things into it.
    ///
    /// # Errors
    /// `Absent` if it does not exist; `Untrusted` if it is no directory, another user's, or writable for others.
    pub fn check(&self) -> Result<(), ControlError> {
        Ok(check_place(self.as_bytes())?)
    }
}

impl core::fmt::Debug for RuntimeDir {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(&self.as_bytes().escape_ascii(), f)
    }
}

fn choose(explicit: Option<PathBuf>, system: Option<PathBuf>, session: Option<PathBuf>, user: u32) -> Option<PathBuf> {
    let session = session.map(|dir| dir.join("vmmc"));
    let own = PathBuf::from(format!("{PLACE_DEFAULT}{user}"));
    let mut wishes = explicit.into_iter().chain(system).chain(session).chain([own]);
    wishes.find(|dir| is_place(dir.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(explicit: Option<&str>, system: Option<&str>, session: Option<&str>, user: u32) -> String {
        let [explicit, system, session] = [explicit, system, session].map(|dir| dir.map(PathBuf::from));
        let dir = choose(explicit, system, session, user).unwrap();
        dir.to_string_lossy().into_owned()
    }

    #[test]
    fn the_nearest_wish_wins() {
        assert_eq!(chosen(Some("/a/b"), Some("/run/vmmc"), Some("/run/user/7"), 7), "/a/b");
        assert_eq!(chosen(None, Some("/run/vmmc"), Some("/run/user/7"), 7), "/run/vmmc");
        assert_eq!(chosen(None, None, Some("/run/user/7"), 7), "/run/user/7/vmmc");
        assert_eq!(chosen(Some(""), None, None, 0), "/tmp/vmmc-0");
        assert_eq!(chosen(Some("relative"), None, None, u32::MAX), "/tmp/vmmc-4294967295");
    }

    #[test]
    fn a_path_that_leaves_no_room_for_the_socket_is_refused() {
        let longest = vec![b'/'; DIR_MAX];
        assert!(RuntimeDir::at(&longest).is_some());
        assert!(RuntimeDir::at(&[b'/'; DIR_MAX + 1]).is_none());
        assert!(RuntimeDir::at(b"/a\0b").is_none());
    }

    #[test]
    fn a_directory_that_others_may_write_is_untrusted() {
        assert_eq!(RuntimeDir::at(b"/tmp").unwrap().check(), Err(ControlError::Untrusted));
        assert_eq!(RuntimeDir::at(b"/proc/self/exe").unwrap().check(), Err(ControlError::Untrusted));
        assert_eq!(RuntimeDir::at(b"/no/such").unwrap().check(), Err(ControlError::Absent));
        assert_eq!(RuntimeDir::at(b"/etc").unwrap().check(), Ok(()));
    }
}
