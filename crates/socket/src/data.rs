//! Calls that move bytes.
use crate::Ending;
use std::io::{IoSlice, IoSliceMut};

/// `send`, `write`, `sendto` without address, `sendmsg` without control data, `writev`: flags as for send(2).
pub fn send(_fd: i32, _bufs: &[IoSlice<'_>], _flags: i32) -> Ending { Ending::Bypass }
/// `recv`, `read`, `recvfrom`, `recvmsg`, `readv`: flags as for recv(2).
pub fn recv(_fd: i32, _bufs: &mut [IoSliceMut<'_>], _flags: i32) -> Ending { Ending::Bypass }
/// `sendfile(out, in, offset, count)` to a connection; `offset` is `None` if the file's own position is used.
pub fn sendfile(_out: i32, _input: i32, _offset: Option<&mut i64>, _count: usize) -> Ending { Ending::Bypass }
