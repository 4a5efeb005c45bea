//! Descriptors that travel in a message's control data (`SCM_RIGHTS`).

use crate::answer::told;
use crate::arguments::can_read_words;
use crate::lifecycle::move_back;
use core::ffi::c_int;
use libc::msghdr;
use vmmc_protocol::Reason;
use vmmc_socket::lifecycle::made;

/// Another process is about to get these: what is a connection among them moves back.
///
/// # Safety
/// `message` points to control data, if it can be read.
pub(crate) unsafe fn before_passing(message: &msghdr) {
    if can_read_words(message.msg_control.cast(), message.msg_controllen) {
        // SAFETY: the caller's promise.
        unsafe { each_descriptor(message, |fd| move_back(fd, Reason::DESCRIPTOR_PASSED)) }
    }
}

/// The kernel has put these into our table.
///
/// # Safety
/// `message`'s control data is what the kernel wrote.
pub(crate) unsafe fn after_receiving(message: &msghdr) {
    // SAFETY: the caller's promise.
    unsafe { each_descriptor(message, |fd| told(|| made(fd))) }
}

/// # Safety
/// `message`'s control data is readable.
unsafe fn each_descriptor(message: &msghdr, mut visit: impl FnMut(c_int)) {
    if message.msg_controllen == 0 || message.msg_control.is_null() {
        return;
    }
    // SAFETY: the macros stay within the control data, which the caller vouches for.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: null or a header within the control data.
    while let Some(header) = unsafe { next.as_ref() } {
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: the header's data follows it.
            let (data, overhead) = unsafe { (libc::CMSG_DATA(next), libc::CMSG_LEN(0) as usize) };
            let room = (message.msg_control as usize + message.msg_controllen).saturating_sub(data as usize);
            let length = header.cmsg_len.saturating_sub(overhead).min(room);
            for at in 0..length / size_of::<c_int>() {
                // SAFETY: within the control data by `length`; control data need not be aligned for us.
                visit(unsafe { data.cast::<c_int>().add(at).read_unaligned() });
            }
        }
        // SAFETY: as for the first.
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
}
