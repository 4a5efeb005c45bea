//! Which road an enabled process's data took, from the table of sockets that the library keeps for `vmmc status`.

use std::fs::{self, File};
use std::mem::offset_of;
use std::os::unix::fs::FileExt;

use vmmc_protocol::record::{DirectionRecord, Header, MAGIC, MEMFD_NAME, RECORD_SIZE, SocketRecord};

use crate::status::Roads;

/// `SocketRecord::kind` of a connection.
const CONNECTION: u32 = 3;

/// Whether the library is in the process `pid`.
pub(crate) fn library_loaded(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.contains("/libvmmc.so"))
}

/// The roads of the process `pid`; `None` if it keeps no table.
pub(crate) fn roads(pid: u32) -> Option<Roads> {
    let table = table(pid)?;
    let mut header = [0; RECORD_SIZE];
    table.read_exact_at(&mut header, 0).ok()?;
    if word(&header, offset_of!(Header, magic)) != MAGIC {
        return None;
    }
    let mut roads = Roads::default();
    let mut record = [0; RECORD_SIZE];
    for index in 1..=u64::from(half_word(&header, offset_of!(Header, used))) {
        table.read_exact_at(&mut record, index * RECORD_SIZE as u64).ok()?;
        if half_word(&record, offset_of!(SocketRecord, kind)) == CONNECTION {
            add(&mut roads, &record);
        }
    }
    Some(roads)
}

fn add(roads: &mut Roads, record: &[u8]) {
    let directions = [offset_of!(SocketRecord, outgoing), offset_of!(SocketRecord, incoming)];
    let sum = |field: usize| directions.map(|direction| word(record, direction + field));
    roads.add(sum(offset_of!(DirectionRecord, vmmc_bytes)), sum(offset_of!(DirectionRecord, kernel_bytes)));
}

fn table(pid: u32) -> Option<File> {
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        if target.to_string_lossy().contains(&format!("memfd:{MEMFD_NAME} ")) {
            return File::open(entry.path()).ok();
        }
    }
    None
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

fn half_word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_added_by_its_layout() {
        let mut record = [0_u8; RECORD_SIZE];
        let mut put = |at: usize, value: u64| record[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        put(offset_of!(SocketRecord, outgoing) + offset_of!(DirectionRecord, vmmc_bytes), 90);
        put(offset_of!(SocketRecord, incoming) + offset_of!(DirectionRecord, kernel_bytes), 10);
        let mut roads = Roads::default();
        add(&mut roads, &record);
        assert_eq!(roads, Roads { connections: 1, both_ways: 0, memory_bytes: 90, kernel_bytes: 10 });
        assert_eq!(roads.through_memory(), Some(0.9));
    }

    #[test]
    fn a_process_without_the_library_has_no_roads() {
        assert!(roads(std::process::id()).is_none());
        assert!(!library_loaded(std::process::id()));
    }
}
