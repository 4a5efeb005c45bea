//! Descriptors come, are copied, and go.
use crate::Ending;
use vmmc_protocol::Reason;

/// `socket()` returned `fd`. `kind` with SOCK_NONBLOCK/SOCK_CLOEXEC.
pub fn opened(_fd: i32, _domain: i32, _kind: i32, _protocol: i32) {}
/// Any other call returned a new descriptor: whatever stood at this number is gone.
pub fn made(_fd: i32) {}
/// `connect()` is about to be called / has returned `result` (0 or a positive errno, EINPROGRESS too).
pub fn connected(_fd: i32, _result: i32) {}
/// `listen()` succeeded.
pub fn listening(_fd: i32) {}
/// `accept4(listener, .., flags)` returned `fd`.
pub fn accepted(_listener: i32, _fd: i32, _flags: i32) {}
/// Before the kernel's close of `fd`. `Failed(EBADF)` for a descriptor of our own, else `Bypass`.
pub fn before_close(_fd: i32) -> Ending { Ending::Bypass }
/// Before `close_range(first, last, flags)` (also closefrom): our own descriptors are spared by splitting the range.
/// `Handled` if it was done here.
pub fn close_range(_first: u32, _last: u32, _flags: u32) -> Ending { Ending::Bypass }
/// `dup`, `dup2`, `dup3`, `F_DUPFD` gave `new` the open socket of `old`. For dup2/dup3 call `before_replace(new)` first.
pub fn duplicated(_old: i32, _new: i32) {}
/// Before dup2/dup3 onto `new`: as for close. `Failed(EBADF)` if `new` is a descriptor of our own.
pub fn before_replace(_new: i32) -> Ending { Ending::Bypass }
/// Moves both directions back to the kernel road, for good, before a call that only the kernel can do on `fd`.
/// Returns once it is safe to make the call. No effect on what is not a connection.
pub fn move_back(_fd: i32, _reason: Reason) {}
/// Whether `fd` is one of the library's own descriptors, which the program must not see or touch.
#[must_use]
pub fn is_internal(_fd: i32) -> bool { false }
/// Wait-free: whether `fd` is in the table as a TCP socket (the faces' fast way out when it is not).
#[must_use]
#[inline]
pub fn is_tracked(_fd: i32) -> bool { false }
