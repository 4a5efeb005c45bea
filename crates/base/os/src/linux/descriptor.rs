//! Descriptors by number: their places in a table, and one that is owned.
use super::kernel::{self, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// An owned descriptor, as the standard library has it.
pub type Owned = OwnedFd;
/// A borrowed descriptor, as the standard library has it.
pub type Borrowed<'a> = BorrowedFd<'a>;

/// The place of a descriptor in a table: descriptors are counted from 0.
#[inline(always)]
#[must_use]
pub const fn index(fd: i32) -> usize {
    fd as u32 as usize
}

/// The descriptor whose place is `index`.
#[inline(always)]
#[must_use]
pub const fn at(index: usize) -> i32 {
    index as i32
}

/// Moves a descriptor to a number of at least `least` (or as high as the limit allows), close-on-exec. The old one is closed.
#[must_use]
pub fn move_high(fd: i32, least: i32) -> i32 {
    for least in [least, 4096, 900, 200] {
        if let Ok(new) = kernel::fcntl(fd, libc::F_DUPFD_CLOEXEC, least as usize) {
            let _ = kernel::close(fd);
            return new as i32;
        }
    }
    fd
}

/// Whether a program that is executed gets it.
#[must_use]
pub fn is_inheritable(fd: i32) -> bool {
    kernel::fcntl(fd, libc::F_GETFD, 0).is_ok_and(|flags| flags as i32 & libc::FD_CLOEXEC == 0)
}

/// A descriptor of this process's, closed on drop by the kernel's own call and not by libc's `close`, which in a guest is
/// ours. Made from an [`Owned`] wherever descriptors come from.
#[derive(Debug)]
pub struct Descriptor(RawFd);

impl Descriptor {
    /// Takes over a descriptor that the kernel has just made.
    #[must_use]
    pub fn new(fd: RawFd) -> Self {
        Self(fd)
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0
    }

    /// The number; the caller owns it now.
    #[must_use]
    pub fn into_raw(self) -> i32 {
        core::mem::ManuallyDrop::new(self).0
    }

    /// A second descriptor for the same thing, closed by exec.
    ///
    /// # Errors
    /// The kernel's: `EMFILE`.
    pub fn duplicate(&self) -> Result<Self> {
        kernel::fcntl(self.0, libc::F_DUPFD_CLOEXEC, 0).map(|fd| Self(fd as RawFd))
    }

    /// For those who take the standard library's.
    #[must_use]
    pub fn borrow(&self) -> Borrowed<'_> {
        // SAFETY: it is open until `self` is dropped, which the borrow's lifetime rules out.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.borrow()
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into_raw_fd())
    }
}

impl From<Descriptor> for OwnedFd {
    fn from(descriptor: Descriptor) -> Self {
        // SAFETY: the one owner gives it away, and is forgotten.
        unsafe { Self::from_raw_fd(core::mem::ManuallyDrop::new(descriptor).0) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let _ = kernel::close(self.0);
    }
}
