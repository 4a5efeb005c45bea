//! What the kernel says about a socket whose duplicate the broker holds for a moment.

use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::net::{
    AddressFamily, SocketAddrAny, SocketAddrV4, SocketAddrV6, SocketType, getpeername, getsockname, ipproto, sockopt,
};
use vmmc_protocol::Reason;

/// One end of a connection, as an address. IPv4 stands as its IPv4-mapped IPv6 form, since one end may have an IPv6
/// socket and the other an IPv4 socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address {
    ip: [u8; 16],
    port: u16,
    scope: u32,
}

/// What tells a connection's end from every other on this host, as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// Cookie of the network namespace: two namespaces may use equal addresses.
    network: u64,
    local: Address,
    remote: Address,
}

impl Key {
    /// The key that the other end has.
    pub(crate) fn mirror(self) -> Self {
        Self { network: self.network, local: self.remote, remote: self.local }
    }
}

/// An established TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) key: Key,
    /// The socket's own cookie: never given to another socket while the system runs.
    pub(crate) cookie: u64,
}

impl Sight {
    /// Looks at a socket.
    ///
    /// # Errors
    /// Why it cannot be paired: it is no TCP socket, it is not established, or the kernel is too old to say.
    pub(crate) fn of(socket: BorrowedFd<'_>) -> Result<Self, Reason> {
        if !is_tcp(socket) {
            return Err(Reason::NOT_STREAM);
        }
        let network = number(socket, libc::SO_NETNS_COOKIE).ok_or(Reason::OLD_KERNEL)?;
        let cookie = number(socket, libc::SO_COOKIE).ok_or(Reason::OLD_KERNEL)?;
        let name = |name: rustix::io::Result<SocketAddrAny>| {
            name.ok().and_then(|name| Address::of(&name)).ok_or(Reason::NOT_ESTABLISHED)
        };
        let key = Key { network, local: name(getsockname(socket))?, remote: name(to_any(getpeername(socket)))? };
        if is_established(socket) { Ok(Self { key, cookie }) } else { Err(Reason::NOT_ESTABLISHED) }
    }
}

fn to_any(name: rustix::io::Result<Option<SocketAddrAny>>) -> rustix::io::Result<SocketAddrAny> {
    name?.ok_or(rustix::io::Errno::NOTCONN)
}

impl Address {
    fn of(name: &SocketAddrAny) -> Option<Self> {
        if let Ok(v4) = SocketAddrV4::try_from(name.clone()) {
            return Some(Self { ip: v4.ip().to_ipv6_mapped().octets(), port: v4.port(), scope: 0 });
        }
        let v6 = SocketAddrV6::try_from(name.clone()).ok()?;
        Some(Self { ip: v6.ip().octets(), port: v6.port(), scope: v6.scope_id() })
    }
}

fn is_tcp(socket: BorrowedFd<'_>) -> bool {
    let is_stream = sockopt::socket_type(socket) == Ok(SocketType::STREAM);
    let is_internet = matches!(sockopt::socket_domain(socket), Ok(AddressFamily::INET | AddressFamily::INET6));
    is_stream && is_internet && sockopt::socket_protocol(socket) == Ok(Some(ipproto::TCP))
}

/// Whether the connection is in the state in which both ends can still send. A socket never returns to it.
fn is_established(socket: BorrowedFd<'_>) -> bool {
    /// `TCP_ESTABLISHED` in the kernel's `net/tcp_states.h`.
    const ESTABLISHED: u8 = 1;
    // The first byte of `struct tcp_info` is the state.
    option::<u8>(socket, libc::IPPROTO_TCP, libc::TCP_INFO) == Some(ESTABLISHED)
}

fn number(socket: BorrowedFd<'_>, name: i32) -> Option<u64> {
    option(socket, libc::SOL_SOCKET, name)
}

/// Who opened the other end of a socket of this host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials {
    /// Process, or 0 if it lives in a PID namespace that cannot be seen from here.
    pub(crate) pid: u32,
    pub(crate) uid: u32,
}

impl Credentials {
    pub(crate) fn of_peer(socket: BorrowedFd<'_>) -> Option<Self> {
        let [pid, uid, _gid] = option::<[u32; 3]>(socket, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
        Some(Self { pid, uid })
    }
}

/// Types whose every bit pattern is a value.
trait Plain: Copy + Default {}
impl Plain for u8 {}
impl Plain for u64 {}
impl Plain for [u32; 3] {}

/// The first bytes of a socket option, as many as a `T` has; `None` if there are fewer or the kernel refuses.
fn option<T: Plain>(socket: BorrowedFd<'_>, level: i32, name: i32) -> Option<T> {
    let mut value = T::default();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `value`, which is that long and takes any bytes (`Plain`).
    let failed =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) } != 0;
    (!failed && len as usize == size_of::<T>()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsFd;

    #[test]
    fn the_two_ends_mirror_each_other_also_over_an_ipv6_listener() {
        let listener = TcpListener::bind("[::]:0").unwrap();
        let client = TcpStream::connect(("127.0.0.1", listener.local_addr().unwrap().port())).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (client, server) = (Sight::of(client.as_fd()).unwrap(), Sight::of(server.as_fd()).unwrap());
        assert_eq!(client.key.mirror(), server.key);
        assert_ne!(client.cookie, server.cookie);
    }

    #[test]
    fn what_is_no_established_tcp_socket_is_refused_by_name() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(Sight::of(listener.as_fd()), Err(Reason::NOT_ESTABLISHED));
        assert_eq!(Sight::of(UdpSocket::bind("127.0.0.1:0").unwrap().as_fd()), Err(Reason::NOT_STREAM));
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(Sight::of(client.as_fd()), Err(Reason::NOT_ESTABLISHED));
        assert_eq!(Sight::of(server.as_fd()), Err(Reason::NOT_ESTABLISHED));
        assert_eq!(Sight::of(std::fs::File::open("/dev/null").unwrap().as_fd()), Err(Reason::NOT_STREAM));
    }
}
