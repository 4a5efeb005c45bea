//! Where the broker listens.

use crate::ControlError;
use crate::settings::BROKER_SOCKET;

/// Longest path of a directory that leaves room for the socket's name in a socket address (108 bytes with the final zero).
pub const DIR_MAX: usize = 107 - 1 - BROKER_SOCKET.len();

/// The runtime directory's path, in a small fixed buffer.
#[derive(Clone, Copy)]
pub struct RuntimeDir {
    bytes: [u8; DIR_MAX],
    len: usize,
}

impl RuntimeDir {
    /// The directory at `path`; `None` if the path is relative, too long ([`DIR_MAX`]), or contains a zero byte.
    #[must_use]
    pub fn at(path: &[u8]) -> Option<Self> {
        Self::joined(&[path])
    }

    /// The directory that the environment asks for: `explicit` is [`crate::settings::RUNTIME_DIR`]'s value, `session`
    /// `XDG_RUNTIME_DIR`'s. An unusable or empty value counts as none. The last resort is `/tmp/vmmc-UID`.
    #[must_use]
    pub fn choose(explicit: Option<&[u8]>, session: Option<&[u8]>, uid: u32) -> Option<Self> {
        let mut digits = [0; 10];
        explicit
            .and_then(Self::at)
            .or_else(|| session.filter(|dir| !dir.is_empty()).and_then(|dir| Self::joined(&[dir, b"/vmmc"])))
            .or_else(|| Self::joined(&[b"/tmp/vmmc-", decimal(uid, &mut digits)]))
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
        let found = rustix::fs::lstat(self.as_bytes())?;
        let is_directory = rustix::fs::FileType::from_raw_mode(found.st_mode).is_dir();
        let is_ours = found.st_uid == rustix::process::geteuid().as_raw() || found.st_uid == 0;
        if is_directory && is_ours && found.st_mode & 0o022 == 0 { Ok(()) } else { Err(ControlError::Untrusted) }
    }

    /// The broker's address in it.
    pub(crate) fn address(&self) -> Result<rustix::net::SocketAddrUnix, ControlError> {
        let mut path = [0; 108];
        let parts = [self.as_bytes(), b"/", BROKER_SOCKET.as_bytes()];
        let mut rest = path.iter_mut();
        for byte in parts.into_iter().flatten() {
            *rest.next().ok_or(ControlError::Untrusted)? = *byte;
        }
        let path = core::ffi::CStr::from_bytes_until_nul(&path).map_err(|_| ControlError::Untrusted)?;
        Ok(rustix::net::SocketAddrUnix::new(path)?)
    }

    fn joined(parts: &[&[u8]]) -> Option<Self> {
        let mut dir = Self { bytes: [0; DIR_MAX], len: 0 };
        for byte in parts.iter().copied().flatten() {
            *dir.bytes.get_mut(dir.len)? = *byte;
            dir.len += 1;
        }
        let path = dir.as_bytes();
        (path.first() == Some(&b'/') && !path.contains(&0)).then_some(dir)
    }
}

impl core::fmt::Debug for RuntimeDir {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(&self.as_bytes().escape_ascii(), f)
    }
}

/// `number` in decimal, at the end of `digits`.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    digits.get(10 - used..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(explicit: Option<&str>, session: Option<&str>, uid: u32) -> String {
        let dir = RuntimeDir::choose(explicit.map(str::as_bytes), session.map(str::as_bytes), uid).unwrap();
        String::from_utf8(dir.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_nearest_wish_wins() {
        assert_eq!(chosen(Some("/a/b"), Some("/run/user/7"), 7), "/a/b");
        assert_eq!(chosen(None, Some("/run/user/7"), 7), "/run/user/7/vmmc");
        assert_eq!(chosen(Some(""), Some(""), 0), "/tmp/vmmc-0");
        assert_eq!(chosen(Some("relative"), None, u32::MAX), "/tmp/vmmc-4294967295");
    }

    #[test]
    fn a_path_that_leaves_no_room_for_the_socket_is_refused() {
        let longest = vec![b'/'; DIR_MAX];
        assert!(RuntimeDir::at(&longest).unwrap().address().is_ok());
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
