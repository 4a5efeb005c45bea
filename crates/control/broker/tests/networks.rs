//! Two networks of one host that use the same addresses. Needs root, who can make networks.

mod support;

use rustix::net::{AddressFamily, SocketType};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use support::*;

const SERVER: u16 = 5432;
const CLIENT: u16 = 40_000;

/// Both ends of a connection in a network of its own, whose addresses are the same each time.
fn connection_in_new_network() -> (TcpStream, TcpStream) {
    let bound = |port| {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        socket
    };
    let (near, far): (OwnedFd, OwnedFd) = apart(move || {
        // SAFETY: this thread alone enters a new network, and ends soon.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "only root makes networks");
        raise_loopback();
        let (listener, near) = (bound(SERVER), bound(CLIENT));
        rustix::net::listen(&listener, 1).unwrap();
        rustix::net::connect(&near, &SocketAddr::from(([127, 0, 0, 1], SERVER))).unwrap();
        (near, rustix::net::accept(&listener).unwrap())
    });
    (near.into(), far.into())
}

/// A new network has a loopback interface that is down.
fn raise_loopback() {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
    // SAFETY: all zeroes is a valid request; the name ends with one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l' as libc::c_char, b'o' as libc::c_char]);
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the kernel reads the request.
    assert_eq!(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }, 0);
}

#[test]
fn equal_addresses_of_two_networks_are_never_mixed_up() {
    let dir = Dir::new("networks");
    let _broker = Running::start(&dir);
    let ((near, far), (other_near, other_far)) = (connection_in_new_network(), connection_in_new_network());
    for (one, other) in [(&near, &other_near), (&far, &other_far)] {
        assert_eq!(
            (one.local_addr().unwrap(), one.peer_addr().unwrap()),
            (other.local_addr().unwrap(), other.peer_addr().unwrap())
        );
    }
    let guests: Vec<Guest> = (0..4).map(|_| Guest::new(&dir)).collect();
    let [client, server, other_client, other_server] = &guests[..] else { unreachable!() };

    // The one's client and the other's server fit by their addresses, and do not belong together.
    client.offer(1, &near);
    other_server.offer(2, &other_far);
    client.hears_nothing();
    other_server.hears_nothing();
    await_pending(&dir, 2);
    // Nor does an offer of the same addresses take the place of another network's.
    other_client.offer(1, &other_near);
    assert_eq!(other_server.confirm(), 2);
    other_server.offer(2, &other_far);
    let (one, other) = (other_client.paired(), other_server.paired());
    assert_eq!((one.pairing.link, one.pairing.slot), (other.pairing.link, other.pairing.slot));
    client.hears_nothing();

    let (true_one, true_other) = pair(client, &near, server, &far);
    assert_eq!(true_one.pairing.link, true_other.pairing.link);
    assert_ne!(true_one.pairing.link, one.pairing.link);
}
