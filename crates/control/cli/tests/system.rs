//! `vmmc broker --system`: alone, and at a socket that the manager of services hands over; and the units that say so.

mod common;

use common::{Place, VMMC, command};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vmmc_protocol::{Client, RuntimeDir};

const SOON: Duration = Duration::from_secs(20);

/// A broker that does not outlive the test.
struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The process of the broker that answers in the directory.
fn await_answer(place: &Place) -> u32 {
    let dir = RuntimeDir::at(place.path().as_os_str().as_bytes()).expect("a short path");
    let begun = Instant::now();
    loop {
        match Client::ping(&dir, 1000) {
            Ok(status) => return status.pid,
            Err(error) => assert!(begun.elapsed() < SOON, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn mode(path: &std::path::Path) -> u32 {
    path.metadata().expect("it is there").permissions().mode() & 0o777
}

#[test]
fn all_users_may_enter_and_speak() {
    let place = Place::new();
    let mut broker = command(&["broker", "--system"]);
    let child = broker.env("VMMC_RUNTIME_DIR", place.path()).stderr(Stdio::null()).spawn().expect("a broker");
    let broker = Broker(child);
    assert_eq!(await_answer(&place), broker.0.id());
    assert_eq!((mode(place.path()), mode(&place.path().join("broker.sock"))), (0o755, 0o666));
}

/// A socket that listens, as the manager of services makes it.
fn listening(place: &Place) -> OwnedFd {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).expect("a socket");
    let address = SocketAddrUnix::new(place.path().join("broker.sock")).expect("a short path");
    rustix::net::bind(&socket, &address).and_then(|()| rustix::net::listen(&socket, 16)).expect("it listens");
    socket
}

#[test]
fn a_socket_that_is_handed_over_is_used_and_left_in_place() {
    let place = Place::new();
    let socket = listening(&place);
    let number = socket.as_raw_fd();
    let mut broker = Command::new("sh");
    broker.args(["-c", "LISTEN_PID=$$ exec \"$0\" broker --system --idle-exit 1", VMMC]).stderr(Stdio::null());
    broker.env("LISTEN_FDS", "1").env("VMMC_RUNTIME_DIR", "/nonexistent/for/sure");
    // SAFETY: `dup2` may be called between fork and exec.
    unsafe {
        broker.pre_exec(move || match libc::dup2(number, 3) {
            3 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        })
    };
    let mut broker = Broker(broker.spawn().expect("a broker"));
    assert_eq!(await_answer(&place), broker.0.id());
    // It ends when nobody needs it; the socket stays, and whoever connects next starts another one.
    assert!(broker.0.wait().expect("it ends").success());
    assert!(place.path().join("broker.sock").exists());
}

#[test]
fn what_is_handed_over_must_be_a_socket() {
    let mut broker = Command::new("sh");
    broker.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" broker --system 3</dev/null", VMMC]);
    let outcome = common::finish(&mut broker);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.errors.contains("LISTEN_FDS"), "{outcome:?}");
}

#[test]
fn the_units_and_the_policy_that_are_shipped_fit() {
    let text = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../packaging").join(name);
        std::fs::read_to_string(path).expect("it is shipped")
    };
    let place = vmmc_os::channel::PLACE_OF_SYSTEM;
    let socket = text("systemd/vmmc-broker.socket");
    for line in [&format!("ListenSequentialPacket={place}/broker.sock"), "DirectoryMode=0755", "SocketMode=0666"] {
        assert!(socket.lines().any(|found| found == line), "{line}");
    }
    assert!(text("systemd/vmmc-broker.service").contains("\nExecStart=/usr/bin/vmmc broker --system\n"));
    let policy = text("policy.toml");
    // The examples are commented out; what is prose is not written so.
    let is_example = |rest: &&str| ["[[", "server", "client"].iter().any(|word| rest.starts_with(word));
    let examples = policy.lines().map(|line| line.strip_prefix('#').filter(is_example).unwrap_or(line));
    let examples = examples.collect::<Vec<_>>().join("\n").replace("\"postgres\"", "70");
    assert_eq!(vmmc_broker::Policy::parse(&policy).expect("the file is one").rules(), (1, 0));
    assert_eq!(vmmc_broker::Policy::parse(&examples).expect("so are its examples").rules(), (2, 1));
}
