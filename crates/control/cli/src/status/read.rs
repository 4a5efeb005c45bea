//! From the bytes of a table file (layout: `vmmc_protocol::record`) to the model.
//!
//! The file belongs to somebody else, who may write anything into it at any time, so it is read by copying and never mapped,
//! every length is bounded, and every field is checked or has no wrong value.

use super::model::{Broker, Direction, Kind, Profile, Road, Socket, Table};
use std::mem::{offset_of, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use vmmc_protocol::Reason;
use vmmc_protocol::record::{DirectionRecord, Header, MAGIC, RECORD_SIZE, SocketRecord, VERSION};

/// Records that are looked at in one table: the usual ceiling of RLIMIT_NOFILE.
const RECORDS_MAX: u64 = 1 << 20;
/// Records that are read at once.
const RECORDS_PER_READ: u64 = 64;
const RECORD_BYTES: u64 = RECORD_SIZE as u64;

/// The file, by what copies bytes out of it: from an offset on into a buffer, and tells how many (0 at the end).
pub(crate) trait Copying: Fn(&mut [u8], u64) -> std::io::Result<usize> {}
impl<F: Fn(&mut [u8], u64) -> std::io::Result<usize>> Copying for F {}

/// Reads a whole table; a sentence if the file is none.
pub(crate) fn table(file: &impl Copying) -> Result<Table, String> {
    let header = read(file, 0, 1).filter(|bytes| bytes.len() == RECORD_SIZE);
    let header = header.ok_or("its table of sockets has no header")?;
    let header = Bytes(&header);
    if header.word(offset_of!(Header, magic)) != MAGIC {
        return Err("its table of sockets has the wrong magic number".to_owned());
    }
    let version = header.half(offset_of!(Header, version));
    if version != VERSION {
        return Err(format!(
            "its table of sockets has version {version}, and this command reads version {VERSION}; restart the program"
        ));
    }
    let (sockets, damaged) = sockets(file, header.half(offset_of!(Header, used)).into());
    let rescues = header.half(offset_of!(Header, rescues));
    Ok(Table { profile: profile(header), broker: broker(header), rescues, sockets, damaged })
}

fn profile(header: Bytes<'_>) -> Profile {
    match header.half(offset_of!(Header, profile)) {
        0 => Profile::Safe,
        1 => Profile::Latency,
        _ => Profile::Unknown,
    }
}

fn broker(header: Bytes<'_>) -> Broker {
    match header.half(offset_of!(Header, broker)) {
        0 => Broker::NotAsked,
        1 => Broker::Connected,
        2 => Broker::Absent,
        _ => Broker::Unknown,
    }
}

/// The sockets in the first `used` records, and how many records made no sense.
fn sockets(file: &impl Copying, used: u64) -> (Vec<Socket>, usize) {
    let mut sockets = Vec::new();
    let mut damaged = 0;
    let mut at = 0;
    let end = used.min(RECORDS_MAX);
    while at < end {
        // The header takes a record's room.
        let Some(bytes) = read(file, 1 + at, RECORDS_PER_READ.min(end - at)).filter(|bytes| bytes.len() >= RECORD_SIZE)
        else {
            break;
        };
        for record in bytes.chunks_exact(RECORD_SIZE).map(Bytes) {
            match socket(record) {
                Ok(socket) => sockets.extend(socket),
                Err(Damaged) => damaged += 1,
            }
        }
        at += RECORDS_PER_READ;
    }
    sockets.sort_by_key(|socket: &Socket| socket.descriptor);
    (sockets, damaged)
}

/// Up to `count` records from record `at` on; fewer where the file ends.
fn read(file: &impl Copying, at: u64, count: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; RECORD_SIZE * usize::try_from(count).ok()?];
    let mut filled = 0;
    while filled < bytes.len() {
        match file(&mut bytes[filled..], at * RECORD_BYTES + filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    bytes.truncate(filled);
    Some(bytes)
}

/// A record that makes no sense.
#[derive(Debug)]
struct Damaged;

const _: () = assert!(size_of::<SocketRecord>() <= RECORD_SIZE && size_of::<Header>() <= RECORD_SIZE);

/// The socket in a record; none in a free one.
fn socket(record: Bytes<'_>) -> Result<Option<Socket>, Damaged> {
    let kind = match record.half(offset_of!(SocketRecord, kind)) {
        0 => return Ok(None),
        1 => Kind::Unconnected,
        2 => Kind::Listening,
        3 => Kind::Connection,
        4 => Kind::Other,
        _ => return Err(Damaged),
    };
    let family = record.half(offset_of!(SocketRecord, family));
    if !matches!(family, 0 | 4 | 6) {
        return Err(Damaged);
    }
    let [local_low, local_high, remote_low, remote_high, ..] =
        record.half(offset_of!(SocketRecord, ports)).to_le_bytes();
    let local = address(record, offset_of!(SocketRecord, local), family, u16::from_le_bytes([local_low, local_high]));
    let remote =
        address(record, offset_of!(SocketRecord, remote), family, u16::from_le_bytes([remote_low, remote_high]));
    let is_connection = kind == Kind::Connection;
    Ok(Some(Socket {
        descriptor: record.half(offset_of!(SocketRecord, descriptor)),
        opened_by: record.half(offset_of!(SocketRecord, pid)),
        kind,
        local,
        remote: remote.filter(|_| is_connection),
        paired: record.half(offset_of!(SocketRecord, paired)) == 1,
        outgoing: is_connection.then(|| direction(record, offset_of!(SocketRecord, outgoing))),
        incoming: is_connection.then(|| direction(record, offset_of!(SocketRecord, incoming))),
    }))
}

fn address(record: Bytes<'_>, at: usize, family: u32, port: u16) -> Option<SocketAddr> {
    let first = record.word(at).to_ne_bytes();
    let second = record.word(at + size_of::<u64>()).to_ne_bytes();
    let ip = match family {
        4 => IpAddr::V4(Ipv4Addr::new(first[0], first[1], first[2], first[3])),
        6 => {
            let mut octets = [0; 16];
            octets[..8].copy_from_slice(&first);
            octets[8..].copy_from_slice(&second);
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    // No bound socket has port 0: the library has not looked the address up.
    (port != 0).then(|| SocketAddr::new(ip, port))
}

fn direction(record: Bytes<'_>, at: usize) -> Direction {
    let road = match record.half(at + offset_of!(DirectionRecord, road)) {
        0 => Road::Kernel,
        1 => Road::Vmmc,
        _ => Road::Unknown,
    };
    let number = u8::try_from(record.half(at + offset_of!(DirectionRecord, reason))).unwrap_or(0);
    let reason = Some(Reason::from_number(number)).filter(|reason| road == Road::Kernel && *reason != Reason::NONE);
    Direction {
        road,
        reason,
        kernel_bytes: record.word(at + offset_of!(DirectionRecord, kernel_bytes)),
        kernel_messages: record.word(at + offset_of!(DirectionRecord, kernel_messages)),
        vmmc_bytes: record.word(at + offset_of!(DirectionRecord, vmmc_bytes)),
        vmmc_messages: record.word(at + offset_of!(DirectionRecord, vmmc_messages)),
        switches: record.word(at + offset_of!(DirectionRecord, switches)),
        doorbells: record.word(at + offset_of!(DirectionRecord, doorbells)),
        sleeps: record.word(at + offset_of!(DirectionRecord, sleeps)),
    }
}

/// One record's bytes: at least as long as the structures whose fields are read.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn word(self, at: usize) -> u64 {
        u64::from_ne_bytes(self.array(at))
    }

    fn half(self, at: usize) -> u32 {
        u32::from_ne_bytes(self.array(at))
    }

    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }
}
