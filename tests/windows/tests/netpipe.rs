//! NetPIPE, which speaks WinSock 1.1 alone: one byte to 64 KiB back and forth, and each byte looked at.

use std::time::Duration;

use vmmc_tests_windows::{Stage, compare, programs};

const PORT: u16 = 5002;
const LIMIT: Duration = Duration::from_secs(120);

/// Both ends with these words; returns what the connecting one was told, without the times.
fn both_ends(stage: &Stage, words: &[&str]) -> String {
    let common = [&["nptcp.exe", "-P", "5002", "-u", "65536"], words].concat();
    let mut server = stage.server(&common).limit(LIMIT).start();
    stage.await_listener(&mut server, PORT);
    let client = stage.client(&[&common[..], &["-h", "127.0.0.1"]].concat()).limit(LIMIT).finish();
    let server = server.finish();
    assert!(client.status.success() && server.status.success(), "{client:?}\n{server:?}");
    let without_time = |line: &str| line.split("-->").next().unwrap_or(line).trim_end().to_owned();
    let said = format!("{}\n{}", client.stdout, client.stderr);
    said.lines().map(without_time).filter(|line| line.contains("bytes")).collect::<Vec<_>>().join("\n")
}

#[test]
fn ping_pong() {
    compare("netpipe", &[&programs::netpipe()], |stage| both_ends(stage, &["-n", "20"]));
}

#[test]
fn every_byte() {
    compare("netpipe-integrity", &[&programs::netpipe()], |stage| both_ends(stage, &["-i", "-n", "20"]));
}
