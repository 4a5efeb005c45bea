//! The numbers of the socket interface: flags, options, events and errors, as WinSock 2 has them.
//!
//! Where WinSock has no such thing, a number stands that no program gives and no call returns.
use windows_sys::Win32::Networking::WinSock as ws;

/// Address families.
pub const AF_INET: i32 = ws::AF_INET as i32;
/// See [`AF_INET`].
pub const AF_INET6: i32 = ws::AF_INET6 as i32;
/// A stream socket.
pub const SOCK_STREAM: i32 = ws::SOCK_STREAM;
/// For `lifecycle`: the new socket does not block. WinSock has no such flag.
pub const SOCK_NONBLOCK: i32 = 0x800;

/// The call would have to wait.
pub const EAGAIN: i32 = ws::WSAEWOULDBLOCK;
/// A connection is being made: what a non-blocking connect fails with here.
pub const EINPROGRESS: i32 = ws::WSAEWOULDBLOCK;
/// Not a socket (any more).
pub const EBADF: i32 = ws::WSAENOTSOCK;
/// The connection was reset.
pub const ECONNRESET: i32 = ws::WSAECONNRESET;
/// A blocking call was cancelled.
pub const EINTR: i32 = ws::WSAEINTR;
/// Not connected, or no longer.
pub const ENOTCONN: i32 = ws::WSAENOTCONN;
/// The sending side is shut.
pub const EPIPE: i32 = ws::WSAESHUTDOWN;

/// Look without taking.
pub const MSG_PEEK: i32 = ws::MSG_PEEK;
/// Fill the whole buffer.
pub const MSG_WAITALL: i32 = ws::MSG_WAITALL;
/// Ours, for [`kernel`](super::kernel): do not wait, whatever the socket's mode.
pub const MSG_DONTWAIT: i32 = 1 << 24;
/// Ours: WinSock raises no signals.
pub const MSG_NOSIGNAL: i32 = 1 << 25;
/// WinSock cannot be told that more follows.
pub const MSG_MORE: i32 = 0;
/// Ours: no program can ask for it.
pub const MSG_TRUNC: i32 = 1 << 26;

/// Something to read.
pub const POLLIN: i16 = ws::POLLIN;
/// See [`POLLIN`].
pub const POLLRDNORM: i16 = ws::POLLRDNORM;
/// Urgent data.
pub const POLLRDBAND: i16 = ws::POLLRDBAND;
/// Exceptions, as select's third set has them.
pub const POLLPRI: i16 = ws::POLLPRI;
/// Room to write.
pub const POLLOUT: i16 = ws::POLLOUT;
/// See [`POLLOUT`].
pub const POLLWRNORM: i16 = ws::POLLWRNORM;
/// See [`POLLOUT`].
pub const POLLWRBAND: i16 = ws::POLLWRBAND;
/// An error.
pub const POLLERR: i16 = ws::POLLERR;
/// The connection is over.
pub const POLLHUP: i16 = ws::POLLHUP;
/// Not a socket.
pub const POLLNVAL: i16 = ws::POLLNVAL;
/// Ours: the peer sends no more ([`kernel::events_now`](super::kernel::events_now) finds out).
pub const POLLRDHUP: i16 = 0x2000;

/// Bytes that a receive would get now.
pub const FIONREAD: u64 = ws::FIONREAD as u32 as u64;
/// Bytes that are sent and not acknowledged: nobody tells.
pub const TIOCOUTQ: u64 = u64::MAX;

/// The level of socket options.
pub const SOL_SOCKET: i32 = ws::SOL_SOCKET;
/// Options of TCP, and the protocol.
pub const IPPROTO_TCP: i32 = ws::IPPROTO_TCP;
/// Nagle's algorithm is off.
pub const TCP_NODELAY: i32 = ws::TCP_NODELAY;
/// Linux's alone.
pub const TCP_CORK: i32 = i32::MIN;
/// Linux's alone.
pub const TCP_INFO: i32 = i32::MIN + 1;
/// Linux's alone.
pub const SO_RCVLOWAT: i32 = i32::MIN + 2;
/// Linux's alone.
pub const TCP_ZEROCOPY_RECEIVE: i32 = i32::MIN + 3;
/// Linux's alone.
pub const TCP_INQ: i32 = i32::MIN + 4;
/// Options by which a program asks for what only the kernel's own road has: none that is known.
pub const KERNEL_ALONE: &[(i32, i32)] = &[];
/// What close does with unsent bytes.
pub const SO_LINGER: i32 = ws::SO_LINGER;
/// The pending error.
pub const SO_ERROR: i32 = ws::SO_ERROR;
/// Half-close of the receiving side.
pub const SHUT_RD: i32 = ws::SD_RECEIVE;
/// Half-close of the sending side.
pub const SHUT_WR: i32 = ws::SD_SEND;
/// Both.
pub const SHUT_RDWR: i32 = ws::SD_BOTH;
