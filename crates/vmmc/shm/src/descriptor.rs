use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use vmmc_os::{abi, kernel};

/// A descriptor of this process's, closed on drop by the kernel's own call and not by libc's `close`, which in a guest is
/// ours. Made from an [`OwnedFd`] wherever descriptors come from.
#[derive(Debug)]
pub struct Descriptor(RawFd);

impl Descriptor {
    /// Takes over a descriptor that the kernel has just made.
    pub(crate) fn new(fd: RawFd) -> Self {
        Self(fd)
    }

    /// A second descriptor for the same thing, closed by exec.
    pub(crate) fn duplicate(&self) -> kernel::Result<Self> {
        kernel::fcntl(self.0, abi::F_DUPFD_CLOEXEC, 0).map(|fd| Self(fd as RawFd))
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: it is open until `self` is dropped, which the borrow's lifetime rules out.
        unsafe { BorrowedFd::borrow_raw(self.0) }
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
