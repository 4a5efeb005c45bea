//! Options, flags, half-close.

use crate::answer::{asked, fail, told};
use crate::arguments::{bytes, bytes_mut};
use crate::lifecycle::{duplicated, move_back};
use crate::real::{also, real};
use core::ffi::{c_int, c_ulong, c_void};
use libc::socklen_t;
use vmmc_protocol::Reason;
use vmmc_socket::Ending;
use vmmc_socket::lifecycle::{is_internal, is_tracked};
use vmmc_socket::options as room;

real! {
    fn shutdown(fd: c_int, how: c_int) -> c_int;
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, len: socklen_t) -> c_int;
    fn getsockopt(fd: c_int, level: c_int, name: c_int, value: *mut c_void, len: *mut socklen_t) -> c_int;
    fn sockatmark(fd: c_int) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, argument: usize) -> c_int;
    fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int;
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn shutdown(fd: c_int, how: c_int) -> c_int {
    if is_tracked(fd)
        && let Some(result) = asked(|| room::shutdown(fd, how))
    {
        return result as c_int;
    }
    // SAFETY: no memory is involved.
    unsafe { real::shutdown(fd, how) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    if is_tracked(fd)
        && i32::try_from(len).is_ok()
        // SAFETY: the program's arguments.
        && let Some(value) = unsafe { bytes(value, len as usize) }
        && let Some(result) = asked(|| room::setsockopt(fd, level, name, value))
    {
        return result as c_int;
    }
    // SAFETY: the program's arguments.
    unsafe { real::setsockopt(fd, level, name, value, len) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    if is_tracked(fd)
        // SAFETY: null or the program's.
        && let Some(length) = unsafe { len.as_mut() }
        && i32::try_from(*length).is_ok()
        // SAFETY: the program's arguments.
        && let Some(place) = unsafe { bytes_mut(value, *length as usize) }
        && let Some(result) = asked(|| room::getsockopt(fd, level, name, place))
    {
        let Ok(written) = socklen_t::try_from(result) else { return -1 };
        *length = written;
        return 0;
    }
    // SAFETY: the program's arguments.
    unsafe { real::getsockopt(fd, level, name, value, len) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sockatmark(fd: c_int) -> c_int {
    if is_tracked(fd)
        && let Some(result) = asked(|| room::at_mark(fd))
    {
        return result as c_int;
    }
    // SAFETY: no memory is involved.
    unsafe { real::sockatmark(fd) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: usize) -> c_int {
    if !is_tracked(fd) {
        // SAFETY: the program's arguments.
        return unsafe { real::ioctl(fd, request, argument) };
    }
    let answer = match request {
        libc::FIONREAD => asked(|| room::readable_bytes(fd)),
        libc::TIOCOUTQ => asked(|| room::unsent_bytes(fd)),
        SIOCATMARK => asked(|| room::at_mark(fd)),
        libc::FIOASYNC => asked(|| signal_driven(fd)),
        _ => None,
    };
    if let Some(result) = answer {
        // SAFETY: these requests' argument is the program's `int *`.
        return unsafe { deliver(result, argument as *mut c_int) };
    }
    // SAFETY: the program's arguments.
    let result = unsafe { real::ioctl(fd, request, argument) };
    if result == 0 && request == libc::FIONBIO {
        // SAFETY: the kernel has just read this `int`.
        told(|| room::nonblocking_set(fd, unsafe { *(argument as *const c_int) } != 0));
    }
    result
}

/// `SIOCATMARK`, which the libc crate does not name.
const SIOCATMARK: c_ulong = 0x8905;

/// Puts a count where an ioctl wants it.
unsafe fn deliver(result: isize, place: *mut c_int) -> c_int {
    let Ok(count) = c_int::try_from(result.min(c_int::MAX as isize)) else { return -1 };
    if count < 0 {
        return -1;
    }
    if place.is_null() {
        return fail(libc::EFAULT) as c_int;
    }
    // SAFETY: not null; the program's to be written.
    unsafe { *place = count };
    0
}

/// SIGIO tells of the kernel's queue alone.
#[cold]
fn signal_driven(fd: c_int) -> Ending {
    move_back(fd, Reason::KERNEL_FEATURE);
    Ending::Bypass
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    if is_internal(fd) {
        return fail(libc::EBADF) as c_int;
    }
    let flags = argument as c_int;
    if command == libc::F_SETFL && flags & libc::O_ASYNC != 0 {
        move_back(fd, Reason::KERNEL_FEATURE);
    }
    // SAFETY: the program's arguments.
    let result = unsafe { real::fcntl(fd, command, argument) };
    match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => return duplicated(fd, result),
        libc::F_SETFL if result == 0 => told(|| room::nonblocking_set(fd, flags & libc::O_NONBLOCK != 0)),
        _ => {}
    }
    result
}

also! {
    fcntl64 = fcntl(fd: c_int, command: c_int, argument: usize) -> c_int;
    __fcntl = fcntl(fd: c_int, command: c_int, argument: usize) -> c_int;
}
