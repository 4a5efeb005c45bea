//! Kernel handles by number: their places in a table, and one that is owned.
use super::kernel::{self, Result};
use super::{handle, last_error, number};
use std::os::windows::io::{AsHandle, BorrowedHandle, FromRawHandle, IntoRawHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, GetHandleInformation, HANDLE_FLAG_INHERIT,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// An owned handle, as the standard library has it.
pub type Owned = OwnedHandle;
/// A borrowed handle, as the standard library has it.
pub type Borrowed<'a> = BorrowedHandle<'a>;

/// The place of a handle in a table: handles are multiples of four.
#[inline(always)]
#[must_use]
pub const fn index(fd: i32) -> usize {
    (fd as u32 >> 2) as usize
}

/// The handle whose place is `index`.
#[inline(always)]
#[must_use]
pub const fn at(index: usize) -> i32 {
    (index as u32).wrapping_shl(2) as i32
}

/// Moves one of our own out of the program's way: handles are given by the kernel, and nobody counts on their numbers.
#[must_use]
pub fn move_high(fd: i32, _least: i32) -> i32 {
    fd
}

/// Whether a child process gets it, if it is made to inherit.
#[must_use]
pub fn is_inheritable(fd: i32) -> bool {
    let mut flags = 0;
    // SAFETY: the call fills the flags.
    let known = unsafe { GetHandleInformation(handle(fd), &raw mut flags) };
    known != 0 && flags & HANDLE_FLAG_INHERIT != 0
}

/// A handle of this process's, closed on drop by the system's own call. Made from an [`Owned`] wherever handles come from.
#[derive(Debug)]
pub struct Descriptor(i32);

impl Descriptor {
    /// Takes over a handle that the system has just made.
    #[must_use]
    pub fn new(fd: i32) -> Self {
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

    /// A second handle for the same thing, not inherited.
    ///
    /// # Errors
    /// The system's, when it has no handle to give.
    pub fn duplicate(&self) -> Result<Self> {
        let mut new = core::ptr::null_mut();
        // SAFETY: the call fills the handle; the process's own needs no closing.
        let made = unsafe {
            let this = GetCurrentProcess();
            DuplicateHandle(this, handle(self.0), this, &raw mut new, 0, 0, DUPLICATE_SAME_ACCESS)
        };
        if made == 0 { Err(last_error()) } else { Ok(Self(number(new))) }
    }
}

impl AsHandle for Descriptor {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.borrow()
    }
}

impl Descriptor {
    /// For those who take the standard library's.
    #[must_use]
    pub fn borrow(&self) -> Borrowed<'_> {
        // SAFETY: it is open until `self` is dropped, which the borrow's lifetime rules out.
        unsafe { BorrowedHandle::borrow_raw(handle(self.0)) }
    }
}

impl From<OwnedHandle> for Descriptor {
    fn from(owned: OwnedHandle) -> Self {
        Self(number(owned.into_raw_handle()))
    }
}

impl From<Descriptor> for OwnedHandle {
    fn from(descriptor: Descriptor) -> Self {
        // SAFETY: the one owner gives it away, and is forgotten.
        unsafe { Self::from_raw_handle(handle(core::mem::ManuallyDrop::new(descriptor).0)) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let _ = kernel::close(self.0);
    }
}
