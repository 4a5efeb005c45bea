//! Ports and waiting for servers; plain kernel TCP, never under the library.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Program;

/// How long a server may take to listen.
const LISTEN_LIMIT: Duration = Duration::from_secs(120);

/// A port of 127.0.0.1 that nobody listens on.
///
/// # Panics
///
/// If the machine has none left.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its number").port()
}

/// Waits until a server accepts connections.
///
/// # Panics
///
/// If it ends before, or takes too long.
pub fn await_listener(server: &mut Program, port: u16) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let began = Instant::now();
    while TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_err() {
        assert!(server.is_alive(), "the server ended before it listened:\n{}", server.logs());
        assert!(began.elapsed() < LISTEN_LIMIT, "nobody listens on port {port}:\n{}", server.logs());
        sleep(Duration::from_millis(20));
    }
}
