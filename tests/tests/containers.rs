//! Containers and networks of one host: who shares a network is paired, also out of user, process and mount namespaces of his
//! own, and who only uses equal addresses is not. Every byte is checked on the way. Needs root, who can be several users.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use vmmc_tests::{Finished, Launch, Program, Stage, net};

const LIMIT: Duration = Duration::from_secs(60);
const PLAYS_MAX: u32 = 8;
const ALICE: u32 = 61_001;
const BOB: u32 = 61_002;
const BOTH_USERS: &str = "[[allow]]\nserver = { users = [61001] }\nclient = { users = [61002] }";
/// What makes a container: namespaces of its own for users, mounts and processes; it ends with the one who made it.
const CONTAINER: [&str; 8] =
    ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
/// Inside: the runtime directory is mounted from outside, and the program finds the broker there.
const INSIDE: &str = "mount --bind \"$0\" /mnt && VMMC_RUNTIME_DIR=/mnt exec \"$@\"";

/// A stage whose broker serves all users, and the load on it.
struct Play {
    stage: Stage,
    load: String,
}

impl Play {
    fn new(name: &str, policy: &str) -> Self {
        let stage = Stage::for_all_users(name, policy);
        let load = stage.path("load").to_string_lossy().into_owned();
        assert!(
            Command::new("cp").args([env!("CARGO_BIN_EXE_load"), &load]).status().is_ok_and(|status| status.success())
        );
        Self { stage, load }
    }

    /// The load under `vmmc run`, behind what makes its surroundings.
    fn within(&self, surroundings: &[&str], load: &[&str]) -> Launch {
        let vmmc = self.stage.path("vmmc").to_string_lossy().into_owned();
        self.stage.plain(&[surroundings, &[&vmmc, "run", "--", &self.load], load].concat()).limit(LIMIT * 2)
    }

    /// The load in a container of a user's.
    fn in_container(&self, user: u32, load: &[&str]) -> Launch {
        let (user, runtime) = (user.to_string(), self.stage.path("runtime").to_string_lossy().into_owned());
        let becomes = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "--"];
        self.within(&[&becomes[..], &CONTAINER, &["sh", "-c", INSIDE, &runtime]].concat(), load)
    }

    /// Whether something has moved both ways, or a connection shows this reason.
    fn is_so(&self, reason: Option<&str>) -> bool {
        match reason {
            None => self.stage.moved().both_ways,
            Some(reason) => self.stage.status().reasons().contains(reason),
        }
    }

    /// Loads, again and again on a machine that is too slow to look in between, until a look has shown the outcome.
    fn drive_until(&self, port: u16, reason: Option<&str>, drive: impl Fn(&[&str]) -> Launch) {
        let is_seen = (0..PLAYS_MAX).any(|_| {
            let mut client = drive(&["drive", &port.to_string(), "4", "4000", "7"]).start();
            let mut is_seen = false;
            while client.is_alive() && !is_seen {
                is_seen = self.is_so(reason);
                sleep(Duration::from_millis(20));
            }
            assert_is_whole(&client.finish());
            is_seen
        });
        assert!(is_seen, "no {reason:?}:\n{}", self.stage.last_seen());
    }
}

fn assert_is_whole(finished: &Finished) {
    assert_eq!(finished.stdout, "end\n".repeat(4), "{}", finished.stderr);
}

/// A load whose two ends are containers of these users.
fn between_containers(name: &str, policy: &str, users: [u32; 2], reason: Option<&str>) {
    let play = Play::new(name, policy);
    let port = net::free_port();
    let mut server = play.in_container(users[0], &["serve", &port.to_string()]).start();
    net::await_listener(&mut server, port);
    play.drive_until(port, reason, |words| play.in_container(users[1], words));
    assert_eq!(play.stage.moved().both_ways, reason.is_none(), "{}", play.stage.last_seen());
}

#[test]
fn two_containers_that_share_a_network_are_paired() {
    between_containers("containers", "", [0, 0], None);
}

/// There the runtime directory belongs to somebody who has no number.
#[test]
fn so_are_two_of_a_user_who_is_not_root() {
    between_containers("containers-of-user", "", [ALICE, ALICE], None);
}

#[test]
fn two_containers_of_two_users_are_not_unless_the_policy_says_so() {
    between_containers("containers-apart", "", [ALICE, BOB], Some("policy"));
    between_containers("containers-allowed", BOTH_USERS, [ALICE, BOB], None);
}

#[test]
fn two_users_are_paired_only_if_the_policy_says_so() {
    for (name, policy, reason) in [("users-apart", "", Some("policy")), ("users-allowed", BOTH_USERS, None)] {
        let play = Play::new(name, policy);
        let port = net::free_port();
        let mut server = play.within(&[], &["serve", &port.to_string()]).user((ALICE, ALICE)).start();
        net::await_listener(&mut server, port);
        play.drive_until(port, reason, |words| play.within(&[], words).user((BOB, BOB)));
        assert_eq!(play.stage.moved().both_ways, reason.is_none(), "{}", play.stage.last_seen());
    }
}

/// A server in a network of its own.
fn serve_in_new_network(play: &Play, port: u16) -> Program {
    let up = "ip link set lo up && exec \"$0\" \"$@\"";
    let mut server = play.within(&["unshare", "--net", "sh", "-c", up], &["serve", &port.to_string()]).start();
    let listens = format!(":{port:04X} 00000000:0000 0A");
    let began = Instant::now();
    let table = Path::new("/proc").join(server.pid().to_string()).join("net/tcp");
    while !std::fs::read_to_string(&table).unwrap_or_default().contains(&listens) {
        assert!(began.elapsed() < LIMIT && server.is_alive(), "the server does not listen:\n{}", server.logs());
        sleep(Duration::from_millis(10));
    }
    server
}

/// The same port on the same address in both, and one port for the clients to connect from at all.
#[test]
fn two_networks_with_equal_addresses_are_never_mixed_up() {
    let play = Play::new("networks", "");
    let servers = [5432; 2].map(|port| serve_in_new_network(&play, port));
    let clients: Vec<Program> = (10..)
        .zip(&servers)
        .map(|(seed, server): (u32, _)| {
            let network = format!("--net=/proc/{}/ns/net", server.pid());
            let one_port = "echo 40000 40003 >/proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" \"$@\"";
            let words = ["drive", "5432", "4", "12000", &seed.to_string()];
            play.within(&["nsenter", &network, "sh", "-c", one_port], &words).start()
        })
        .collect();
    let began = Instant::now();
    while play.stage.status().both_ways() < 12 {
        assert!(began.elapsed() < LIMIT, "not all are paired:\n{}", play.stage.last_seen());
        sleep(Duration::from_millis(20));
    }
    clients.into_iter().for_each(|client| assert_is_whole(&client.finish()));
    for server in servers {
        assert!(!server.output().contains("WRONG"), "{}", server.output());
    }
}

/// A server that root starts, and that serves as a user: whoever serves is who is paired.
const BECOMES: &str = "\
import os, socket, sys
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
user = int(sys.argv[2])
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
while True:
    connection, _ = listener.accept()
    while data := connection.recv(65536):
        connection.sendall(data)
";
const ASKS: &str = "\
import socket, sys
with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as connection:
    for number in range(6000):
        sent = b'%08d' % number
        connection.sendall(sent)
        received = b''
        while len(received) < 8:
            received += connection.recv(8 - len(received))
        assert sent == received
print('end')
";

/// Whether a client of this user, and a server that root started and that has become Alice, have been paired.
fn paired_with_who_became_alice(name: &str, user: u32, reason: Option<&str>) {
    let play = Play::new(name, "");
    let vmmc = play.stage.path("vmmc").to_string_lossy().into_owned();
    let port = net::free_port();
    let python = |script, words: &[&str]| {
        play.stage.plain(&[&[&vmmc, "run", "--", "python3", "-c", script], words].concat()).limit(LIMIT * 2)
    };
    let mut server = python(BECOMES, &[&port.to_string(), &ALICE.to_string()]).start();
    net::await_listener(&mut server, port);
    let is_seen = (0..PLAYS_MAX).any(|_| {
        let mut client = python(ASKS, &[&port.to_string()]).user((user, user)).start();
        let mut is_seen = false;
        while client.is_alive() && !is_seen {
            is_seen = play.is_so(reason);
            sleep(Duration::from_millis(20));
        }
        let finished = client.finish();
        assert_eq!(finished.stdout, "end\n", "{}", finished.stderr);
        is_seen
    });
    assert!(is_seen, "no {reason:?}:\n{}", play.stage.last_seen());
    assert_eq!(play.stage.moved().both_ways, reason.is_none(), "{}", play.stage.last_seen());
}

#[test]
fn a_server_that_has_become_a_user_is_paired_as_that_user() {
    paired_with_who_became_alice("became-alice", ALICE, None);
    paired_with_who_became_alice("became-another", BOB, Some("policy"));
}
