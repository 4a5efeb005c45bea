//! What the system says of a TCP socket: which connection it is an end of.

pub use crate::system::endpoint::Socket;

/// One end of a connection, as an address. IPv4 stands as its IPv4-mapped IPv6 form, since one end may have an IPv6
/// socket and the other an IPv4 socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// IPv6 address.
    pub ip: [u8; 16],
    /// Port.
    pub port: u16,
    /// Interface of a link-local address; 0 otherwise.
    pub scope: u32,
}

impl Address {
    /// The address in the first `len` bytes of a `sockaddr`; `None` if it is of another family. `inet6` is the system's `AF_INET6`.
    #[must_use]
    pub fn of_raw(raw: &[u8; 28], len: usize, inet6: i32) -> Option<Self> {
        let [family0, family1, port0, port1, rest @ ..] = raw;
        let family = i32::from(u16::from_ne_bytes([*family0, *family1]));
        let port = u16::from_be_bytes([*port0, *port1]);
        if family == 2 && len >= 16 {
            let mut ip = [0; 16];
            let (prefix, v4) = ip.split_at_mut(12);
            prefix.copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
            v4.copy_from_slice(rest.first_chunk::<4>()?);
            return Some(Self { ip, port, scope: 0 });
        }
        let (ip, scope) = rest.get(4..)?.split_first_chunk::<16>()?;
        let scope = u32::from_ne_bytes(*scope.first_chunk()?);
        (family == inet6 && len >= 28).then_some(Self { ip: *ip, port, scope })
    }
}

/// An established TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Which network its addresses belong to: two networks may use equal ones.
    pub network: u64,
    /// Tells the socket from every other that has the same addresses, as far as the system can.
    pub cookie: u64,
    /// Its own address.
    pub local: Address,
    /// The other end's address.
    pub remote: Address,
}

/// Why a socket is no end of a connection that can be told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No TCP stream socket.
    NotTcp,
    /// Not connected, or one of the ends has finished.
    NotEstablished,
    /// The system cannot say which network it belongs to.
    OldSystem,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_are_read_and_ipv4_stands_as_mapped() {
        let mut raw = [0; 28];
        raw[..2].copy_from_slice(&2u16.to_ne_bytes());
        raw[2..8].copy_from_slice(&[0x1f, 0x90, 127, 0, 0, 1]);
        let v4 = Address::of_raw(&raw, 16, 10).unwrap();
        assert_eq!((v4.port, v4.scope, &v4.ip[10..]), (8080, 0, &[0xff, 0xff, 127, 0, 0, 1][..]));
        raw[..2].copy_from_slice(&10u16.to_ne_bytes());
        raw[8..24].copy_from_slice(&v4.ip);
        raw[24..].copy_from_slice(&7u32.to_ne_bytes());
        assert_eq!(Address::of_raw(&raw, 28, 10), Some(Address { scope: 7, ..v4 }));
        assert_eq!(Address::of_raw(&raw, 28, 23), None);
    }
}
