//! What the kernel says of a TCP socket: its cookies and its state.
use super::descriptor::Descriptor;
use super::kernel;
use crate::endpoint::{Address, Endpoint, Unfit};

/// `TCP_ESTABLISHED` in the kernel's `net/tcp_states.h`.
const ESTABLISHED: u8 = 1;

/// A duplicate of another process's socket.
#[derive(Debug)]
pub struct Socket(Descriptor);

impl From<Descriptor> for Socket {
    fn from(descriptor: Descriptor) -> Self {
        Self(descriptor)
    }
}

impl Socket {
    /// Its number.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0.number()
    }

    /// Looks at it.
    ///
    /// # Errors
    /// Why it is no end of a connection that can be told from others.
    pub fn look(&self) -> Result<Endpoint, Unfit> {
        if !self.is_tcp() {
            return Err(Unfit::NotTcp);
        }
        let network = self.option(libc::SOL_SOCKET, libc::SO_NETNS_COOKIE).map(u64::from_ne_bytes);
        let cookie = self.option(libc::SOL_SOCKET, libc::SO_COOKIE).map(u64::from_ne_bytes);
        let (network, cookie) = (network.ok_or(Unfit::OldSystem)?, cookie.ok_or(Unfit::OldSystem)?);
        let name = |peer| self.name(peer).ok_or(Unfit::NotEstablished);
        let endpoint = Endpoint { network, cookie, local: name(false)?, remote: name(true)? };
        if self.is_established() { Ok(endpoint) } else { Err(Unfit::NotEstablished) }
    }

    /// Whether closing its last descriptor may wait for data to be acknowledged (`SO_LINGER` with a time).
    #[must_use]
    pub fn lingers(&self) -> bool {
        let linger = self.option::<8>(libc::SOL_SOCKET, libc::SO_LINGER);
        linger.is_some_and(|[on0, on1, on2, on3, seconds @ ..]| {
            i32::from_ne_bytes([on0, on1, on2, on3]) != 0 && i32::from_ne_bytes(seconds) > 0
        })
    }

    /// Makes its last close wait for nothing; for every holder of the socket.
    pub fn stop_lingering(&self) {
        let _ = kernel::setsockopt(self.number(), libc::SOL_SOCKET, libc::SO_LINGER, &[0; 8]);
    }

    fn is_tcp(&self) -> bool {
        let number = |name| self.option(libc::SOL_SOCKET, name).map(i32::from_ne_bytes);
        number(libc::SO_TYPE) == Some(libc::SOCK_STREAM)
            && matches!(number(libc::SO_DOMAIN), Some(libc::AF_INET | libc::AF_INET6))
            && number(libc::SO_PROTOCOL) == Some(libc::IPPROTO_TCP)
    }

    /// Whether the connection is in the state in which both ends can still send. A socket never returns to it.
    fn is_established(&self) -> bool {
        // The first byte of `struct tcp_info` is the state.
        self.option(libc::IPPROTO_TCP, libc::TCP_INFO) == Some([ESTABLISHED])
    }

    fn name(&self, peer: bool) -> Option<Address> {
        let mut raw = [0; 28];
        let len = kernel::address(self.number(), peer, &mut raw).ok()?;
        Address::of_raw(&raw, len, libc::AF_INET6)
    }

    /// The first bytes of a socket option; `None` if there are fewer or the kernel refuses.
    fn option<const LEN: usize>(&self, level: i32, name: i32) -> Option<[u8; LEN]> {
        let mut value = [0; LEN];
        let len = kernel::getsockopt(self.number(), level, name, &mut value).ok()?;
        (len == LEN).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::OwnedFd;

    fn look(socket: impl Into<OwnedFd>) -> Result<Endpoint, Unfit> {
        Socket::from(Descriptor::from(socket.into())).look()
    }

    #[test]
    fn the_two_ends_mirror_each_other_also_over_an_ipv6_listener() {
        let listener = TcpListener::bind("[::]:0").unwrap();
        let client = TcpStream::connect(("127.0.0.1", listener.local_addr().unwrap().port())).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (near, far) = (look(client.try_clone().unwrap()).unwrap(), look(server.try_clone().unwrap()).unwrap());
        assert_eq!((near.local, near.remote, near.network), (far.remote, far.local, far.network));
        assert_ne!(near.cookie, far.cookie);
    }

    #[test]
    fn what_is_no_established_tcp_socket_is_refused_by_name() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(look(listener.try_clone().unwrap()), Err(Unfit::NotEstablished));
        assert_eq!(look(UdpSocket::bind("127.0.0.1:0").unwrap()), Err(Unfit::NotTcp));
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(look(client.try_clone().unwrap()), Err(Unfit::NotEstablished));
        assert_eq!(look(server.try_clone().unwrap()), Err(Unfit::NotEstablished));
        assert_eq!(look(std::fs::File::open("/dev/null").unwrap()), Err(Unfit::NotTcp));
    }

    #[test]
    fn only_a_time_makes_a_socket_linger() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (on, seconds, lingers) in [(0, 0, false), (1, 0, false), (1, 3, true)] {
            let value = [i32::to_ne_bytes(on), i32::to_ne_bytes(seconds)].concat();
            let number = std::os::fd::AsRawFd::as_raw_fd(&socket);
            kernel::setsockopt(number, libc::SOL_SOCKET, libc::SO_LINGER, &value).unwrap();
            let duplicate = Socket::from(Descriptor::from(OwnedFd::from(socket.try_clone().unwrap())));
            assert_eq!(duplicate.lingers(), lingers);
            duplicate.stop_lingering();
            assert!(!duplicate.lingers());
        }
    }
}
