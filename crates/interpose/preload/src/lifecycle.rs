//! Descriptors come, are copied, and go. Those that are never sockets are in `makers.rs`.

use crate::answer::{asked, errno, fail, told};
use crate::arguments::can_read;
use crate::real::{also, real};
use crate::uring;
use core::ffi::{c_int, c_uint};
use libc::{sockaddr, socklen_t};
use vmmc_protocol::Reason;
use vmmc_socket::lifecycle as room;

real! {
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int;
    fn listen(fd: c_int, backlog: c_int) -> c_int;
    fn accept(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int;
    fn accept4(fd: c_int, address: *mut sockaddr, len: *mut socklen_t, flags: c_int) -> c_int;
    fn close(fd: c_int) -> c_int;
    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int;
    fn closefrom(first: c_int);
    fn dup(fd: c_int) -> c_int;
    fn dup2(old: c_int, new: c_int) -> c_int;
    fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int;
}

/// The C library's own streams stand on these descriptors, and read and write them past us.
const STDERR: c_int = 2;

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    // SAFETY: no memory is involved.
    let fd = unsafe { real::socket(domain, kind, protocol) };
    if fd >= 0 {
        told(|| room::opened(fd, domain, kind, protocol));
    }
    fd
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the program's address, and readable.
    let dissolves = room::is_tracked(fd) && len >= 2 && can_read(address) && unsafe { (*address).sa_family } == 0;
    if dissolves {
        told(|| room::dissolving(fd));
    }
    // SAFETY: the program's arguments.
    let result = unsafe { real::connect(fd, address, len) };
    if dissolves && result == 0 {
        told(|| room::dissolved(fd));
    } else if room::is_tracked(fd) {
        let outcome = if result == 0 { 0 } else { errno() };
        told(|| room::connected(fd, outcome));
    }
    result
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn listen(fd: c_int, backlog: c_int) -> c_int {
    // SAFETY: no memory is involved.
    let result = unsafe { real::listen(fd, backlog) };
    if result == 0 {
        told(|| room::listening(fd));
    }
    result
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn accept(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int {
    // SAFETY: the program's arguments.
    let new = unsafe { real::accept(fd, address, len) };
    accepted(fd, new, 0)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn accept4(fd: c_int, address: *mut sockaddr, len: *mut socklen_t, flags: c_int) -> c_int {
    // SAFETY: the program's arguments.
    let new = unsafe { real::accept4(fd, address, len, flags) };
    accepted(fd, new, flags)
}

fn accepted(listener: c_int, fd: c_int, flags: c_int) -> c_int {
    if fd >= 0 {
        told(|| room::accepted(listener, fd, flags));
    }
    fd
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn close(fd: c_int) -> c_int {
    if let Some(result) = asked(|| room::before_close(fd)) {
        return result as c_int;
    }
    uring::closed(fd.cast_unsigned(), fd.cast_unsigned());
    // SAFETY: no memory is involved.
    unsafe { real::close(fd) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    if flags.cast_unsigned() & libc::CLOSE_RANGE_CLOEXEC == 0 {
        uring::closed(first, last);
    }
    if let Some(result) = asked(|| room::close_range(first, last, flags.cast_unsigned())) {
        return result as c_int;
    }
    // SAFETY: no memory is involved.
    unsafe { real::close_range(first, last, flags) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn closefrom(first: c_int) {
    uring::closed(first.max(0).cast_unsigned(), c_uint::MAX);
    if asked(|| room::close_range(first.max(0).cast_unsigned(), c_uint::MAX, 0)).is_none() {
        // SAFETY: no memory is involved.
        unsafe { real::closefrom(first) }
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dup(fd: c_int) -> c_int {
    if room::is_internal(fd) {
        return fail(libc::EBADF) as c_int;
    }
    // SAFETY: no memory is involved.
    duplicated(fd, unsafe { real::dup(fd) })
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dup2(old: c_int, new: c_int) -> c_int {
    if old != new
        && let Some(result) = before_replace(old, new)
    {
        return result;
    }
    // SAFETY: no memory is involved.
    let result = unsafe { real::dup2(old, new) };
    if old == new { result } else { duplicated(old, result) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int {
    let valid = old != new && flags & !libc::O_CLOEXEC == 0;
    if valid && let Some(result) = before_replace(old, new) {
        return result;
    }
    // SAFETY: no memory is involved.
    duplicated(old, unsafe { real::dup3(old, new, flags) })
}

/// What stands at `new` is about to be closed, unless `old` is not open, for then nothing happens.
fn before_replace(old: c_int, new: c_int) -> Option<c_int> {
    if room::is_internal(old) {
        return Some(fail(libc::EBADF) as c_int);
    }
    let name = new.cast_unsigned();
    if (room::is_tracked(new) || uring::has(name, name)) && !is_open(old) {
        return None;
    }
    uring::closed(name, name);
    asked(|| room::before_replace(new)).map(|result| result as c_int)
}

/// Whether the descriptor is open.
pub(crate) fn is_open(fd: c_int) -> bool {
    // SAFETY: F_GETFD involves no memory.
    unsafe { vmmc_os::kernel::syscall6(libc::SYS_fcntl, fd as usize, libc::F_GETFD as usize, 0, 0, 0, 0) }.is_ok()
}

/// `new` (if it is one) is a copy of `old`.
pub(crate) fn duplicated(old: c_int, new: c_int) -> c_int {
    if new >= 0 {
        told(|| room::duplicated(old, new));
        if new <= STDERR {
            move_back(new, Reason::STDIO);
        }
    }
    new
}

/// Moves `fd` to the kernel road for good, if it is a connection.
#[inline]
pub(crate) fn move_back(fd: c_int, reason: Reason) {
    if room::is_tracked(fd) {
        told(|| room::move_back(fd, reason));
    }
}

also! {
    __connect = connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int;
    __close = close(fd: c_int) -> c_int;
    __dup2 = dup2(old: c_int, new: c_int) -> c_int;
}
