//! What the kernel tells of sockets whose addresses the library has not looked up (it does so only when it must).

use crate::status::model::{Family, Kind, Socket};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Local and remote address, by the number that `/proc` gives the socket.
type Addresses = HashMap<u64, [SocketAddr; 2]>;

/// Fills in the addresses that the table leaves open, as far as they are to be found.
pub(super) fn fill(family: &mut Family) {
    let processes = &family.processes;
    let mut known = None;
    for socket in family.table.sockets.iter_mut().filter(|socket| needs_address(socket)) {
        let Some((pid, number)) = processes.iter().find_map(|p| Some((p.pid, number(p.pid, socket.descriptor)?)))
        else {
            continue;
        };
        // Forked processes may have moved to another network namespace; the addresses of the first one must do.
        if let Some([local, remote]) = known.get_or_insert_with(|| addresses(pid)).get(&number) {
            socket.local.get_or_insert(*local);
            if socket.kind == Kind::Connection {
                socket.remote.get_or_insert(*remote);
            }
        }
    }
}

fn needs_address(socket: &Socket) -> bool {
    match socket.kind {
        Kind::Connection => socket.local.is_none() || socket.remote.is_none(),
        Kind::Listening => socket.local.is_none(),
        Kind::Unconnected | Kind::Other => false,
    }
}

/// The socket's number, from a link like `socket:[4711]`.
fn number(pid: i32, descriptor: u32) -> Option<u64> {
    let link = std::fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// All TCP sockets in the process's network namespace.
fn addresses(pid: i32) -> Addresses {
    let tables = ["tcp", "tcp6"].map(|name| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")));
    tables.into_iter().flatten().flat_map(|table| table.lines().filter_map(line).collect::<Vec<_>>()).collect()
}

/// A line of `/proc/net/tcp`: a counter, the two addresses, six more columns, the socket's number.
fn line(line: &str) -> Option<(u64, [SocketAddr; 2])> {
    let mut columns = line.split_whitespace().skip(1);
    let ends = [address(columns.next()?)?, address(columns.next()?)?];
    Some((columns.nth(6)?.parse().ok()?, ends))
}

/// `0100007F:1F90`: the address as words of the machine's byte order, and the port, all in hexadecimal.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            IpAddr::V6(Ipv6Addr::from(*words.as_flattened().first_chunk::<16>()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn the_addresses_of_our_own_sockets_are_found() {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        for place in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(place).expect("a port");
            let descriptor = u32::try_from(listener.as_raw_fd()).expect("a descriptor");
            let number = number(pid, descriptor).expect("it is a socket");
            let local = addresses(pid).get(&number).map(|[local, _]| *local);
            assert_eq!(local, listener.local_addr().ok());
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in ["", ":", "0100007F", "0100007F:", "0100007F:10000", "010000:1F90", "0100007G:1F90", "é100007:1F90"]
        {
            assert_eq!(address(text), None, "{text}");
        }
        assert!(line("  sl  local_address rem_address   st tx_queue").is_none());
    }
}
