//! A descriptor that is taken out of a process. Who it is taken from does not hear of it, unless that is this very process.

use crate::lifecycle::duplicated;
use crate::makers::new;
use crate::real::real;
use core::ffi::{c_int, c_uint};
use vmmc_os::kernel;
use vmmc_socket::lifecycle::each_tracked;

real! {
    fn pidfd_getfd(pidfd: c_int, fd: c_int, flags: c_uint) -> c_int;
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pidfd_getfd(pidfd: c_int, fd: c_int, flags: c_uint) -> c_int {
    // SAFETY: no memory is involved.
    taken(unsafe { real::pidfd_getfd(pidfd, fd, flags) })
}

/// Reports a descriptor that was taken from a process, perhaps from this one: it is a copy then.
pub(crate) fn taken(fd: c_int) -> c_int {
    let Some(sought) = cookie(fd) else { return new(fd) };
    let mut old = None;
    each_tracked(|other| {
        if other != fd && cookie(other) == Some(sought) {
            old = Some(other);
        }
    });
    old.map_or_else(|| new(fd), |old| duplicated(old, fd))
}

/// What tells a socket from every other one; none if it is no socket.
fn cookie(fd: c_int) -> Option<u64> {
    let mut value = [0; 8];
    let length = kernel::getsockopt(fd, libc::SOL_SOCKET, libc::SO_COOKIE, &mut value);
    (length == Ok(value.len())).then(|| u64::from_ne_bytes(value))
}
