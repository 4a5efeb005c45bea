//! The two addresses of a connection, as the kernel tells them.
use crate::connection::Connection;
use vmmc_os::{abi, kernel};
use vmmc_sync::Ordering;

/// Fills the record's addresses, and says whether both ends are on this host.
pub(crate) fn is_local(connection: &Connection, fd: i32) -> bool {
    let (mut local, mut remote) = ([0u8; 28], [0u8; 28]);
    if kernel::address(fd, false, &mut local).is_err() || kernel::address(fd, true, &mut remote).is_err() {
        return false;
    }
    let (mine, other) = (address_of(&local), address_of(&remote));
    let record = &connection.record;
    record.family.store(if local[0] == abi::AF_INET as u8 { 4 } else { 6 }, Ordering::Relaxed);
    for (words, address) in [(&record.local, mine), (&record.remote, other)] {
        for (word, half) in words.iter().zip(address.as_chunks::<8>().0) {
            word.store(u64::from_le_bytes(*half), Ordering::Relaxed);
        }
    }
    let port = |raw: &[u8; 28]| u32::from(u16::from_be_bytes([raw[2], raw[3]]));
    record.ports.store(port(&local) | port(&remote) << 16, Ordering::Relaxed);
    let v4 =
        if local[0] == abi::AF_INET as u8 { Some(other[0]) } else { other.starts_with(&MAPPED).then_some(other[12]) };
    let loopback = v4 == Some(127) || v4.is_none() && other[..15] == [0; 15] && other[15] == 1;
    loopback || mine == other
}

const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// The 16 address bytes of a raw socket address (IPv4 in the first four).
fn address_of(raw: &[u8; 28]) -> [u8; 16] {
    let mut address = [0; 16];
    let from = if raw[0] == abi::AF_INET as u8 { &raw[4..8] } else { &raw[8..24] };
    for (to, byte) in address.iter_mut().zip(from) {
        *to = *byte;
    }
    address
}
