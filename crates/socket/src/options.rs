//! Options, flags, half-close.
use crate::Ending;
/// `shutdown(fd, how)`.
pub fn shutdown(_fd: i32, _how: i32) -> Ending { Ending::Bypass }
/// `setsockopt`; `Bypass`: call the kernel, then nothing more is owed.
pub fn setsockopt(_fd: i32, _level: i32, _name: i32, _value: &[u8]) -> Ending { Ending::Bypass }
/// `getsockopt`; `Handled(n)`: n bytes were put into `value`, the call returns 0 and sets `*optlen = n`.
pub fn getsockopt(_fd: i32, _level: i32, _name: i32, _value: &mut [u8]) -> Ending { Ending::Bypass }
/// `ioctl(fd, FIONREAD)`; `Handled(n)`: n is what `*argp` gets.
pub fn readable_bytes(_fd: i32) -> Ending { Ending::Bypass }
/// `ioctl(fd, SIOCOUTQ)`; as [`readable_bytes`].
pub fn unsent_bytes(_fd: i32) -> Ending { Ending::Bypass }
/// `ioctl(fd, SIOCATMARK)`; as [`readable_bytes`].
pub fn at_mark(_fd: i32) -> Ending { Ending::Bypass }
/// `fcntl(F_SETFL)` or `ioctl(FIONBIO)` has set or cleared O_NONBLOCK.
pub fn nonblocking_set(_fd: i32, _on: bool) {}
/// `fcntl(F_SETFD)`, `ioctl(FIOCLEX)`: close-on-exec changed.
pub fn close_on_exec_set(_fd: i32, _on: bool) {}
