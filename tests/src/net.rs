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
    await_that(server, &format!("nobody listens on port {port}"), |_| {
        TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
    });
}

/// Waits until a server has written these words: one may listen before it is ready.
///
/// # Panics
///
/// If it ends before, or takes too long.
pub fn await_words(server: &mut Program, words: &str) {
    await_that(server, &format!("it does not say `{words}`"), |server| server.logs().contains(words));
}

fn await_that(server: &mut Program, otherwise: &str, holds: impl Fn(&Program) -> bool) {
    let began = Instant::now();
    while !holds(server) {
        assert!(server.is_alive(), "the server ended before it was ready:\n{}", server.logs());
        assert!(began.elapsed() < LISTEN_LIMIT, "{otherwise}:\n{}", server.logs());
        sleep(Duration::from_millis(20));
    }
}
