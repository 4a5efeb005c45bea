//! Who must be kept apart: users, and networks with equal addresses. Both tests need to be root, and say so if they cannot run.

mod support;

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;
use support::*;
use vmmc_protocol::{Reason, Side};

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("skipped: not root");
    }
    is_root
}

#[test]
fn two_users_are_not_paired() {
    if !is_root() {
        return;
    }
    let dir = Dir::new("users");
    let _broker = Running::start(&dir);
    for (path, mode) in [(dir.0.clone(), 0o755), (dir.0.join("broker.sock"), 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let (near, far) = connection();
    let roots = Guest::new(&dir);
    let nobodys = std::thread::scope(|scope| {
        let connect = || {
            // SAFETY: the system call changes this thread's user alone, and the thread ends with this closure.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) }, 0);
            Guest::new(&dir)
        };
        scope.spawn(connect).join().unwrap()
    });
    nobodys.offer(1, &near);
    await_pending(&dir, 1);
    roots.offer(2, &far);
    assert_eq!(nobodys.confirm(), 1);
    nobodys.offer(1, &near);
    assert_eq!(nobodys.refused(), (1, Reason::POLICY));
    assert_eq!(roots.refused(), (2, Reason::POLICY));
}

/// A connection with given ports in a network namespace of its own, in which only the loopback exists.
fn connection_in_a_new_network() -> (TcpStream, TcpStream) {
    // SAFETY: moves this thread alone to a new network; the thread ends soon.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
    let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status();
    if !up.is_ok_and(|status| status.success()) {
        raise_loopback();
    }
    let listener = TcpListener::bind("127.0.0.1:7001").unwrap();
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    let address: std::net::SocketAddr = ([127, 0, 0, 1], 7002).into();
    rustix::net::bind(&socket, &address).unwrap();
    rustix::net::connect(&socket, &listener.local_addr().unwrap()).unwrap();
    (socket.into(), listener.accept().unwrap().0)
}

/// `ip link set lo up`, where there is no `ip`.
fn raise_loopback() {
    // SAFETY: an all-zero `ifreq` is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    // SAFETY: the request names an interface and carries its flags, as SIOCSIFFLAGS demands.
    let outcome =
        unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&socket), libc::SIOCSIFFLAGS, &raw const request) };
    assert_eq!(outcome, 0);
}

#[test]
fn equal_addresses_in_two_networks_are_never_mixed() {
    if !is_root() {
        return;
    }
    let dir = Dir::new("networks");
    let _broker = Running::start(&dir);
    // Both threads live until both connections stand, so that the networks are two at one time.
    let both = Barrier::new(2);
    let make = || {
        let ends = connection_in_a_new_network();
        both.wait();
        ends
    };
    let [(near_a, far_a), (near_b, far_b)] =
        std::thread::scope(|scope| [scope.spawn(make), scope.spawn(make)].map(|thread| thread.join().unwrap()));
    assert_eq!(near_a.peer_addr().unwrap(), near_b.peer_addr().unwrap());
    assert_eq!(near_a.local_addr().unwrap(), near_b.local_addr().unwrap());

    let (one, other) = (Guest::new(&dir), Guest::new(&dir));
    one.offer(1, &near_a);
    other.offer(2, &far_b);
    one.hears_nothing();
    other.hears_nothing();
    await_pending(&dir, 2);

    // Each finds its own other end.
    let third = Guest::new(&dir);
    third.offer(3, &far_a);
    assert_eq!(one.confirm(), 1);
    one.offer(1, &near_a);
    assert_eq!(one.paired().pairing.side, Side::First);
    assert_eq!(third.paired().pairing.token, 3);
    third.offer(4, &near_b);
    assert_eq!(other.confirm(), 2);
    other.offer(2, &far_b);
    assert_eq!(other.paired().pairing.token, 2);
    assert_eq!(third.paired().pairing.token, 4);
}
