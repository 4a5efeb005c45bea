//! What the kernel tells about sockets.

use crate::doctor::check::Check;
use std::ffi::c_int;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

/// Where `tcpi_bytes_received` stands in `struct tcp_info`: after 8 bytes, 24 words of 32 bits and 3 words of 64.
const BYTES_RECEIVED_AT: usize = 8 + 24 * 4 + 3 * 8;

/// Whether TCP tells how many bytes came, which the library checks its own count against.
pub(super) fn byte_counts() -> Check {
    const NAME: &str = "TCP byte counts";
    const ADVICE: &str = "Without them no connection is accelerated; use Linux itself, not an emulation of it.";
    match bytes_received() {
        Ok(Some(5)) => Check::ok(NAME, "TCP_INFO has them"),
        Ok(Some(other)) => Check::fail(NAME, format!("TCP_INFO counts {other} bytes where 5 came"), ADVICE),
        Ok(None) => Check::fail(NAME, "TCP_INFO has none", ADVICE),
        Err(error) => Check::fail(
            NAME,
            format!("no connection over 127.0.0.1: {error}"),
            "Bring the loopback interface up: ip link set lo up",
        ),
    }
}

/// What TCP_INFO counts on a loopback connection that received five bytes; none if it does not count.
fn bytes_received() -> std::io::Result<Option<u64>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    sender.write_all(b"hello")?;
    receiver.read_exact(&mut [0; 5])?;
    let mut info = [0_u8; 256];
    let length = option(&receiver, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info)?;
    let known = info.get(..length).and_then(|info| info.get(BYTES_RECEIVED_AT..)).and_then(|rest| rest.first_chunk());
    Ok(known.map(|bytes| u64::from_ne_bytes(*bytes)))
}

/// Whether a socket's network namespace can be told, so that two ends of one address are not taken for each other's.
pub(super) fn namespace_cookie() -> Check {
    const NAME: &str = "network namespace";
    let mut cookie = [0; 8];
    let told = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| option(&listener, libc::SOL_SOCKET, libc::SO_NETNS_COOKIE, &mut cookie));
    match told {
        Ok(_) => Check::ok(NAME, format!("SO_NETNS_COOKIE is {}", u64::from_ne_bytes(cookie))),
        Err(error) => Check::warn(
            NAME,
            format!("SO_NETNS_COOKIE: {error}"),
            "Linux 5.14 or later tells network namespaces apart.",
        ),
    }
}

/// getsockopt(2): how many bytes of `value` were filled.
#[allow(unsafe_code)]
fn option(socket: &impl AsRawFd, level: c_int, name: c_int, value: &mut [u8]) -> std::io::Result<usize> {
    let mut length = libc::socklen_t::try_from(value.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the kernel writes at most `length` bytes into the exclusive slice, and the length into a local.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut length) };
    if result == 0 { Ok(length as usize) } else { Err(std::io::Error::last_os_error()) }
}
