//! Owned descriptors for the guest's process, where std's `OwnedFd` would close through our own exported `close`.
//!
//! The only file of this room with `unsafe`: descriptors travel as plain numbers between rooms.
#![allow(unsafe_code)]

use rustix::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

/// A descriptor that is closed, by the kernel call itself, when this is dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Descriptor(i32);

impl Descriptor {
    /// Takes over descriptor `number`, which the caller owns (nobody else will close it).
    #[must_use]
    pub fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// The number; this keeps owning it.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0
    }

    /// The number; the caller owns it now.
    #[must_use]
    pub fn into_raw(self) -> i32 {
        core::mem::ManuallyDrop::new(self).0
    }

    pub(crate) fn borrow(&self) -> BorrowedFd<'_> {
        borrow(self.0)
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into_raw_fd())
    }
}

impl From<Descriptor> for OwnedFd {
    fn from(descriptor: Descriptor) -> Self {
        // SAFETY: ownership of the number goes from one owner to the other.
        unsafe { Self::from_raw_fd(descriptor.into_raw()) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if self.0 >= 0 {
            // SAFETY: whoever made this handed over ownership of the number, and nothing borrows from it any more.
            unsafe { rustix::io::close(self.0) }
        }
    }
}

/// Lends `number` to a kernel call. A number that is not open makes that call fail with `EBADF` and nothing else.
pub(crate) fn borrow<'fd>(number: i32) -> BorrowedFd<'fd> {
    // SAFETY: -1 is the one number that `BorrowedFd` may not hold, and it is replaced by another that is never open. The
    // callers in this crate use the result for one system call at once and close nothing meanwhile.
    unsafe { BorrowedFd::borrow_raw(if number < 0 { i32::MAX } else { number }) }
}
