//! Faults at random moments under load: either end stopped and continued, both, killed; the broker stopped, killed, started anew.
//! Every byte of every stream is counted and checked. Who was not killed, and whose other end was not, ends as if nothing had been.
//!
//! `VMMC_TEST_SEED` repeats a run; `VMMC_TEST_FAULTS` says how many there are.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use vmmc_protocol::{Client as Broker, RuntimeDir};
use vmmc_tests::{Ends, Program, Stage, net};

const LOAD: &str = env!("CARGO_BIN_EXE_load");
const FAULTS: u64 = 1500;
const SERVERS: usize = 2;
const CLIENTS: usize = 4;
const CONNECTIONS: usize = 4;
/// A watchdog: how long any program may take.
const LIMIT: Duration = Duration::from_secs(300);

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 27) % limit
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

struct Server {
    program: Program,
    port: u16,
}

struct Client {
    program: Program,
    server: usize,
    /// Its server was killed: any end is right that TCP might have shown.
    is_excused: bool,
}

struct Play<'stage> {
    stage: &'stage Stage,
    numbers: Numbers,
    servers: Vec<Server>,
    clients: Vec<Client>,
    done: BTreeMap<&'static str, u64>,
    finished: u64,
}

impl<'stage> Play<'stage> {
    fn new(stage: &'stage Stage, seed: u64) -> Self {
        let mut play = Self {
            stage,
            numbers: Numbers(seed),
            servers: (0..SERVERS).map(|_| serve(stage)).collect(),
            clients: Vec::new(),
            done: BTreeMap::new(),
            finished: 0,
        };
        (0..CLIENTS).for_each(|_| play.start_client());
        play
    }

    fn start_client(&mut self) {
        let server = self.numbers.below(SERVERS as u64) as usize;
        let (port, seed) = (self.servers[server].port.to_string(), self.numbers.below(1 << 40).to_string());
        let milliseconds = (200 + self.numbers.below(1500)).to_string();
        let words = [LOAD, "drive", &port, &CONNECTIONS.to_string(), &milliseconds, &seed];
        let program = self.stage.client(&words).limit(LIMIT).start();
        self.clients.push(Client { program, server, is_excused: false });
    }

    fn any_client(&mut self) -> usize {
        self.numbers.below(self.clients.len() as u64) as usize
    }

    fn fault(&mut self) {
        let client = self.any_client();
        let own = self.clients[client].program.pid();
        let server = self.servers[self.clients[client].server].program.pid();
        let what = match self.numbers.below(1000) {
            0..400 => self.stop("client stopped", &[own]),
            400..750 => self.stop("server stopped", &[server]),
            750..900 => self.stop("both stopped", &[own, server]),
            900..960 => self.stop("broker stopped", &self.broker().into_iter().collect::<Vec<_>>()),
            960..985 => self.kill_client(client),
            985..990 => self.kill_server(),
            _ => self.kill_broker(),
        };
        *self.done.entry(what).or_default() += 1;
        self.settle();
        while self.clients.len() < CLIENTS {
            self.start_client();
        }
        sleep(Duration::from_micros(self.numbers.below(4000)));
    }

    /// Stops processes one after the other, and lets them go on in another order.
    fn stop(&mut self, what: &'static str, processes: &[u32]) -> &'static str {
        processes.iter().for_each(|pid| send(*pid, Signal::STOP));
        let longest = if self.numbers.below(20) == 0 { 60_000 } else { 3000 };
        sleep(Duration::from_micros(self.numbers.below(longest)));
        let is_first_first = self.numbers.below(2) == 0;
        let order: Vec<u32> =
            if is_first_first { processes.to_vec() } else { processes.iter().rev().copied().collect() };
        order.iter().for_each(|pid| send(*pid, Signal::CONT));
        what
    }

    fn kill_client(&mut self, at: usize) -> &'static str {
        self.clients.swap_remove(at).program.kill();
        "client killed"
    }

    fn kill_server(&mut self) -> &'static str {
        let at = self.numbers.below(SERVERS as u64) as usize;
        self.servers[at].program.kill();
        assert_right(&self.servers[at].program);
        self.servers[at] = serve(self.stage);
        self.clients.iter_mut().filter(|client| client.server == at).for_each(|client| client.is_excused = true);
        "server killed"
    }

    fn kill_broker(&mut self) -> &'static str {
        let Some(pid) = self.broker() else { return "no broker to kill" };
        send(pid, Signal::KILL);
        "broker killed"
    }

    /// The process of the broker that answers; the next `vmmc run` starts one if none does.
    fn broker(&self) -> Option<u32> {
        let place = RuntimeDir::at(self.stage.path("runtime").as_os_str().as_bytes())?;
        Broker::ping(&place, 1000).ok().map(|status| status.pid)
    }

    /// Looks at the clients that have ended.
    fn settle(&mut self) {
        let (over, under_way) =
            std::mem::take(&mut self.clients).into_iter().partition(|client| client.program.has_ended());
        self.clients = under_way;
        for client in over {
            self.judge(client);
        }
    }

    fn judge(&mut self, client: Client) {
        let finished = client.program.finish();
        assert!(finished.status.success(), "{} {}", finished.stdout, finished.stderr);
        let is_right = client.is_excused || finished.stdout == "end\n".repeat(CONNECTIONS);
        assert!(is_right, "nobody was killed, and yet: {}", finished.stdout);
        self.finished += 1;
    }

    fn end(mut self) {
        for client in std::mem::take(&mut self.clients) {
            self.judge(client);
        }
        self.servers.iter().for_each(|server| assert_right(&server.program));
        println!("{:?}, {} clients came to their end", self.done, self.finished);
    }
}

fn serve(stage: &Stage) -> Server {
    let port = net::free_port();
    let mut program = stage.server(&[LOAD, "serve", &port.to_string()]).limit(LIMIT * 10).start();
    net::await_listener(&mut program, port);
    Server { program, port }
}

fn assert_right(server: &Program) {
    assert!(!server.output().contains("WRONG"), "{}", server.logs());
}

/// The process is a child of ours that we have not waited for, or a broker; if that has ended, nobody gets it.
fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

#[test]
fn no_byte_is_lost_or_doubled_and_nobody_hangs() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_micros() as u64);
    let seed = number("VMMC_TEST_SEED").unwrap_or(now);
    println!("VMMC_TEST_SEED={seed}");
    let faults = number("VMMC_TEST_FAULTS").unwrap_or(FAULTS);
    // A few on the kernel's TCP first, so that the test itself is tested.
    for (ends, faults) in [(Ends::Neither, faults / 10), (Ends::Both, faults)] {
        let stage = Stage::new("faults", ends, None);
        let mut play = Play::new(&stage, seed);
        (0..faults).for_each(|_| play.fault());
        play.end();
        assert!(ends == Ends::Neither || stage.moved().both_ways, "nothing moved:\n{}", stage.last_seen());
    }
}
