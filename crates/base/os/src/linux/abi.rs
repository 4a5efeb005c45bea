//! The numbers of the socket interface: flags, options, events and errors, as the system's own calls have them.

pub use libc::{
    AF_INET, AF_INET6, CLOSE_RANGE_CLOEXEC, EAGAIN, EBADF, ECONNRESET, EINPROGRESS, EINTR, ENOTCONN, EPIPE,
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT,
    EPOLLOUT, EPOLLRDHUP, EPOLLRDNORM, EPOLLWRNORM, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, FD_CLOEXEC, FIONREAD,
    IPPROTO_TCP, MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, POLLERR, POLLHUP, POLLIN,
    POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM, SHUT_RD, SHUT_RDWR, SHUT_WR,
    SO_ERROR, SO_LINGER, SO_RCVLOWAT, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, TCP_CORK, TCP_INFO, TCP_NODELAY,
    TIOCOUTQ,
};

/// Level and name of the options by which a program asks for what only the kernel's own road has: its protocols above TCP, what
/// it says beside the data, its filters, its pace.
pub const KERNEL_ALONE: &[(i32, i32)] = &[
    (IPPROTO_TCP, libc::TCP_ULP),
    (IPPROTO_TCP, libc::TCP_REPAIR),
    (SOL_SOCKET, libc::SO_TIMESTAMP),
    (SOL_SOCKET, libc::SO_TIMESTAMPNS),
    (SOL_SOCKET, libc::SO_TIMESTAMPING),
    (SOL_SOCKET, SO_TIMESTAMP_NEW),
    (SOL_SOCKET, SO_TIMESTAMPNS_NEW),
    (SOL_SOCKET, SO_TIMESTAMPING_NEW),
    (SOL_SOCKET, libc::SO_PEEK_OFF),
    (SOL_SOCKET, libc::SO_ATTACH_FILTER),
    (SOL_SOCKET, libc::SO_ATTACH_BPF),
    (SOL_SOCKET, libc::SO_MAX_PACING_RATE),
];
/// Received pages are mapped and not copied: a question that takes bytes.
pub const TCP_ZEROCOPY_RECEIVE: i32 = 35;
/// A receive says beside its data how many bytes are left.
pub const TCP_INQ: i32 = 36;
// <asm-generic/socket.h>; the libc crate does not name them.
const SO_TIMESTAMP_NEW: i32 = 63;
const SO_TIMESTAMPNS_NEW: i32 = 64;
const SO_TIMESTAMPING_NEW: i32 = 65;
