//! The place in the runtime directory where one broker, and only one, listens.

use crate::limits::BACKLOG;
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use vmmc_protocol::RuntimeDir;
use vmmc_protocol::settings::BROKER_SOCKET;

/// Held locked by the broker for its life, so that there are never two.
const LOCK: &str = "broker.lock";
/// The socket under construction. No longer than the final name, which has to fit into an address.
const NEW_SOCKET: &str = "broker.new";
const _: () = assert!(NEW_SOCKET.len() <= BROKER_SOCKET.len());

/// A listening socket at the broker's address.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) listener: OwnedFd,
    path: PathBuf,
    _lock: OwnedFd,
}

impl Seat {
    /// Makes the directory if need be, and takes the seat in it; what a dead broker left there is replaced.
    ///
    /// # Errors
    /// `AddrInUse` if a broker has it; `PermissionDenied` if others can write the directory; the kernel's.
    pub(crate) fn take(dir: &Path) -> io::Result<Self> {
        let runtime_dir = RuntimeDir::at(dir.as_os_str().as_bytes()).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the runtime directory's path is relative or too long")
        })?;
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        runtime_dir.check().map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error))?;

        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = rustix::fs::open(dir.join(LOCK), flags, Mode::RUSR | Mode::WUSR)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => io::Error::new(io::ErrorKind::AddrInUse, "a broker is running already"),
            other => other.into(),
        })?;
        let path = dir.join(BROKER_SOCKET);
        Ok(Self { listener: listen_at(&path, &dir.join(NEW_SOCKET))?, path, _lock: lock })
    }
}

impl Drop for Seat {
    /// While the lock is still held, so that it is never a successor's socket.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A socket that listens before it appears at `path`: nobody ever finds one there that refuses.
fn listen_at(path: &Path, temporary: &Path) -> io::Result<OwnedFd> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(temporary)?)?;
    fs::set_permissions(temporary, Permissions::from_mode(0o600))?;
    listen(&socket, BACKLOG)?;
    fs::rename(temporary, path)?;
    Ok(socket)
}
