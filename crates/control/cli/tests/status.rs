//! `vmmc status`, on tables that the tests make themselves.

mod common;

use common::{Outcome, vmmc};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::mem::offset_of;
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use vmmc_protocol::Reason;
use vmmc_protocol::record::{DirectionRecord, Header, MAGIC, MEMFD_NAME, RECORD_SIZE, SocketRecord, VERSION};

/// One test at a time: a process that another test is just starting would be seen with this one's table.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that holds a table and does nothing. It is ended when this is dropped.
struct Holder(Child);

impl Holder {
    /// Takes the table, so that the test's own process holds it no more.
    fn of(table: File) -> Self {
        Self(Command::new("sleep").arg("60").stdin(Stdio::from(table)).spawn().expect("sleep starts"))
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().expect("it still runs");
        self.0.wait().expect("it has ended");
    }
}

/// A table with the header in place.
fn table(used: u32) -> File {
    let file = empty_table();
    put(&file, offset_of!(Header, magic), &MAGIC.to_ne_bytes());
    put(&file, offset_of!(Header, version), &VERSION.to_ne_bytes());
    put(&file, offset_of!(Header, used), &used.to_ne_bytes());
    put(&file, offset_of!(Header, broker), &1_u32.to_ne_bytes());
    put(&file, offset_of!(Header, rescues), &3_u32.to_ne_bytes());
    file.set_len((u64::from(used.min(1000)) + 1) * RECORD_SIZE as u64).expect("room");
    file
}

fn empty_table() -> File {
    File::from(memfd_create(MEMFD_NAME, MemfdFlags::CLOEXEC).expect("a memfd"))
}

fn put(file: &File, at: usize, bytes: &[u8]) {
    file.write_all_at(bytes, at as u64).expect("written");
}

/// Writes a connection: 127.0.0.1:6379 to 127.0.0.1:50000, sending over VMMC, receiving over the kernel.
fn put_connection(file: &File, index: usize, descriptor: u32) {
    let record = (index + 1) * RECORD_SIZE;
    let half = |at: usize, value: u32| put(file, record + at, &value.to_ne_bytes());
    half(offset_of!(SocketRecord, kind), 3);
    half(offset_of!(SocketRecord, descriptor), descriptor);
    half(offset_of!(SocketRecord, family), 4);
    half(offset_of!(SocketRecord, ports), 6379 | 50000 << 16);
    half(offset_of!(SocketRecord, paired), 1);
    put(file, record + offset_of!(SocketRecord, local), &[127, 0, 0, 1]);
    put(file, record + offset_of!(SocketRecord, remote), &[127, 0, 0, 1]);
    let outgoing = offset_of!(SocketRecord, outgoing);
    half(outgoing + offset_of!(DirectionRecord, road), 1);
    put(file, record + outgoing + offset_of!(DirectionRecord, vmmc_bytes), &(5_u64 << 20).to_ne_bytes());
    put(file, record + outgoing + offset_of!(DirectionRecord, vmmc_messages), &12345_u64.to_ne_bytes());
    let incoming = offset_of!(SocketRecord, incoming);
    half(incoming + offset_of!(DirectionRecord, reason), Reason::NO_SEND_SEEN.number().into());
    put(file, record + incoming + offset_of!(DirectionRecord, kernel_bytes), &77_u64.to_ne_bytes());
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let outcome = vmmc(arguments);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.output).expect("one JSON document")
}

#[test]
fn a_connection_is_told_as_json() {
    let _alone = alone();
    let file = table(3);
    put_connection(&file, 1, 9);
    let holder = Holder::of(file);
    let report = json(&["status", "--json", "--pid", &holder.pid()]);
    let family = &report["families"][0];
    assert_eq!(report["schema"], 1);
    assert_eq!(family["processes"][0]["command"], "sleep");
    assert_eq!(
        (&family["profile"], &family["broker"], &family["damaged"], &family["rescues"]),
        (&"safe".into(), &"connected".into(), &0.into(), &3.into())
    );
    assert_eq!(family["sockets"].as_array().map(Vec::len), Some(1), "free records are no sockets");
    let socket = &family["sockets"][0];
    assert_eq!(
        (&socket["kind"], &socket["descriptor"], &socket["paired"]),
        (&"connection".into(), &9.into(), &true.into())
    );
    assert_eq!((&socket["local"], &socket["remote"]), (&"127.0.0.1:6379".into(), &"127.0.0.1:50000".into()));
    assert_eq!(
        (&socket["outgoing"]["road"], &socket["outgoing"]["reason"]),
        (&"vmmc".into(), &serde_json::Value::Null)
    );
    assert_eq!(
        (&socket["outgoing"]["vmmc_bytes"], &socket["outgoing"]["vmmc_messages"]),
        (&(5 << 20).into(), &12345.into())
    );
    assert_eq!(
        (&socket["incoming"]["road"], &socket["incoming"]["reason"]),
        (&"kernel".into(), &"no-send-seen".into())
    );
    assert_eq!(socket["incoming"]["kernel_bytes"], 77);
    assert_eq!(report["reasons"][0]["code"], "no-send-seen");
    assert_eq!(report["reasons"][0]["sentence"], Reason::NO_SEND_SEEN.row().sentence);
}

#[test]
fn a_connection_is_told_to_people() {
    let _alone = alone();
    let file = table(2);
    put_connection(&file, 0, 9);
    put(&file, 2 * RECORD_SIZE + offset_of!(SocketRecord, kind), &1_u32.to_ne_bytes());
    let holder = Holder::of(file);
    let text = vmmc(&["status", "--pid", &holder.pid()]).output;
    let title = format!("sleep, pid {}; profile safe; broker connected", holder.pid());
    assert!(text.starts_with(&title), "{text}");
    for part in [
        "1 connection, 0 on VMMC both ways; 1 other socket",
        "127.0.0.1:6379",
        "127.0.0.1:50000",
        "5.00 MiB",
        "12'345",
        "77 B",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    let words = |way: &str| {
        text.lines()
            .find(|line| line.contains(&format!(" {way} ")))
            .map(|line| line.split_whitespace().last().map(str::to_owned))
    };
    assert_eq!(words("in"), Some(Some("no-send-seen".to_owned())), "{text}");
    assert!(
        text.contains(Reason::NO_SEND_SEEN.row().sentence) && text.contains(Reason::NO_SEND_SEEN.row().advice),
        "{text}"
    );
}

#[test]
fn processes_that_share_a_table_are_told_once() {
    let _alone = alone();
    let file = table(1);
    put_connection(&file, 0, 5);
    let (first, second) = (Holder::of(file.try_clone().expect("a duplicate")), Holder::of(file));
    let report = json(&["status", "--json", "--pid", &second.pid()]);
    assert_eq!(report["families"].as_array().map(Vec::len), Some(1));
    let pids: Vec<String> =
        report["families"][0]["processes"].as_array().expect("a list").iter().map(|p| p["pid"].to_string()).collect();
    assert!(pids.contains(&first.pid()) && pids.contains(&second.pid()), "{pids:?}");
    let text = vmmc(&["status", "--pid", &second.pid()]).output;
    assert!(text.contains("shared with"), "{text}");
}

#[test]
fn a_process_without_a_table_is_told_apart_from_none() {
    let _alone = alone();
    let plain = Holder(Command::new("sleep").arg("60").spawn().expect("sleep starts"));
    let outcome = vmmc(&["status", "--pid", &plain.pid()]);
    assert_eq!((outcome.code, outcome.output.as_str()), (Some(1), ""));
    assert!(outcome.errors.contains("does not run under vmmc"), "{outcome:?}");
    let outcome = vmmc(&["status", "--pid", "2147483647"]);
    assert!(outcome.code == Some(1) && outcome.errors.contains("no such process"), "{outcome:?}");
}

/// The command survives the table and says in one line why it does not show it.
fn assert_not_shown(file: File, why: &str) {
    let holder = Holder::of(file);
    let outcome = vmmc(&["status", "--pid", &holder.pid()]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.errors.contains(why) && outcome.errors.lines().count() == 1, "{outcome:?}");
    let all: Outcome = vmmc(&["status"]);
    assert!(all.code == Some(0) && all.output.contains(&format!("Process {} is not shown", holder.pid())), "{all:?}");
}

#[test]
fn what_is_no_table_is_not_shown() {
    let _alone = alone();
    assert_not_shown(empty_table(), "no header");
    let short = table(1);
    short.set_len(40).expect("cut");
    assert_not_shown(short, "no header");
    let other = table(1);
    put(&other, offset_of!(Header, magic), b"VMMCSOK0");
    assert_not_shown(other, "magic");
    let newer = table(1);
    put(&newer, offset_of!(Header, version), &99_u32.to_ne_bytes());
    assert_not_shown(newer, "version 99");
}

#[test]
fn hostile_content_is_survived() {
    let _alone = alone();
    let file = table(u32::MAX);
    put_connection(&file, 0, 0);
    put(&file, offset_of!(Header, profile), &[0xff; 4]);
    put(&file, offset_of!(Header, broker), &[0xff; 4]);
    put(&file, 2 * RECORD_SIZE, &[0xff; RECORD_SIZE]);
    let direction = 3 * RECORD_SIZE + offset_of!(SocketRecord, outgoing);
    put_connection(&file, 2, u32::MAX);
    put(&file, direction, &[0xff; size_of::<DirectionRecord>()]);
    put_connection(&file, 999, 2);
    file.set_len(1000 * RECORD_SIZE as u64 + 7).expect("the last record is cut");
    let holder = Holder::of(file);
    let report = json(&["status", "--json", "--pid", &holder.pid()]);
    let family = &report["families"][0];
    assert_eq!(
        (&family["profile"], &family["broker"], &family["damaged"]),
        (&"unknown".into(), &"unknown".into(), &1.into())
    );
    assert_eq!(family["sockets"].as_array().map(Vec::len), Some(2));
    let outgoing = &family["sockets"][1]["outgoing"];
    assert_eq!(
        (&outgoing["road"], &outgoing["reason"], &outgoing["sleeps"]),
        (&"unknown".into(), &serde_json::Value::Null, &u64::MAX.into())
    );
    let text = vmmc(&["status", "--pid", &holder.pid()]);
    assert!(text.code == Some(0) && text.output.contains("1 record made no sense"), "{text:?}");
}

#[test]
fn every_byte_may_be_anything() {
    let _alone = alone();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..20 {
        let file = table(8);
        for record in 1..=8 {
            let noise: Vec<u8> = (0..RECORD_SIZE)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state as u8
                })
                .collect();
            put(&file, record * RECORD_SIZE, &noise);
            // Small numbers where they decide, so that the noise gets past the first look.
            put(&file, record * RECORD_SIZE + offset_of!(SocketRecord, kind), &((state % 6) as u32).to_ne_bytes());
            put(
                &file,
                record * RECORD_SIZE + offset_of!(SocketRecord, family),
                &([0_u32, 4, 6][round % 3]).to_ne_bytes(),
            );
        }
        let holder = Holder::of(file);
        json(&["status", "--json", "--pid", &holder.pid()]);
        assert_eq!(vmmc(&["status", "--pid", &holder.pid()]).code, Some(0));
    }
}
