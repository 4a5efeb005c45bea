//! A peer that is paired by the broker like any other and then writes anything: into every word of its victim's slot, and on the
//! kernel road. Its own connection may end or stand still; the victim's other connections and the victim itself must not notice.
//! `VMMC_TEST_SEED` repeats a run.

use std::collections::{BTreeSet, HashMap};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vmmc_contract::{Export as _, Import as _};
use vmmc_protocol::{Client, Event, Paired, Pairing, RuntimeDir, Side};
use vmmc_shm::{Segment, ShmExport, ShmImport};
use vmmc_stream::layout;
use vmmc_tests::{Ends, Program, Stage, net};

const LOAD: &str = env!("CARGO_BIN_EXE_load");
const HEALTHY: usize = 4;
const ATTACKS: u64 = 300;
/// The healthy connections live this long, and attacks are begun until shortly before.
const MILLISECONDS: u64 = 11_000;
const PAIR_LIMIT: Duration = Duration::from_millis(600);
/// How long the victim may take to be done with all that was done to it.
const RECOVER_LIMIT: Duration = Duration::from_secs(60);

const WORDS: [usize; 18] = [
    layout::TAIL,
    layout::CREDIT_ALONG,
    layout::INLINE,
    layout::ARMED,
    layout::READY,
    layout::RETRACT,
    layout::ACK,
    layout::RECEIVED,
    layout::RETURNED,
    layout::CREDIT,
    layout::EPOCH,
    layout::SWITCH_AT,
    layout::LEAVE_AT,
    layout::RESUME_AT,
    layout::RUNG,
    layout::FIN,
    layout::WINDOW,
    layout::WINDOW + 8,
];

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..1 + self.below(most)).map(|_| self.next() as u8).collect()
    }
}

/// The broker's client, and the memory of the links that it was given.
struct Hostile {
    client: Client,
    chunks: HashMap<(u64, u32, bool), (Segment, Segment, i32)>,
}

/// One paired connection: what the victim writes to us, what we write to the victim.
struct Slot {
    own: ShmExport,
    victim: ShmImport,
    pairing: Pairing,
}

impl Hostile {
    fn new(stage: &Stage) -> Self {
        let directory = RuntimeDir::at(stage.path("runtime").as_os_str().as_bytes()).expect("a short path");
        Self { client: Client::connect(&directory).expect("the stage's broker"), chunks: HashMap::new() }
    }

    /// Offers a connection until the victim has offered it too.
    fn pair(&mut self, token: u64, stream: &TcpStream) -> Option<Slot> {
        let began = Instant::now();
        self.client.offer(token, stream.as_raw_fd()).expect("the broker listens");
        while began.elapsed() < PAIR_LIMIT {
            match self.client.receive().expect("the broker speaks") {
                Some(Event::Confirm { token: asked }) if asked == token => {
                    self.client.offer(token, stream.as_raw_fd()).expect("the broker listens");
                }
                Some(Event::Paired(paired)) if paired.pairing.token == token => return Some(self.slot(paired)),
                Some(Event::Paired(paired)) => self.release(&paired.pairing),
                Some(_) => {}
                None => sleep(Duration::from_micros(100)),
            }
        }
        self.client.withdraw(token).expect("the broker listens");
        None
    }

    fn slot(&mut self, paired: Paired) -> Slot {
        let pairing = paired.pairing;
        let key = (pairing.link, pairing.chunk, pairing.side == Side::Second);
        if let Some(new) = paired.segment {
            let map = |fd: i32| Segment::map(fd).expect("a sealed segment");
            let segments = (map(new.export.number()), map(new.import.number()), new.peer_bell.into_raw());
            self.chunks.insert(key, segments);
        }
        let (export, import, bell) = &self.chunks[&key];
        let len = vmmc_protocol::slot::size(pairing.ring_capacity);
        Slot {
            own: export.export(pairing.own_offset, len).expect("a slot in its chunk"),
            victim: import.import(pairing.peer_offset, len).expect("a slot in its chunk").with_bell(*bell),
            pairing,
        }
    }

    fn release(&self, pairing: &Pairing) {
        self.client.release(pairing.link, pairing.slot, pairing.side).expect("the broker listens");
    }
}

/// An honest beginning: the victim echoes, until there have been enough calls for it to want VMMC. `load` echoes what follows a
/// seed, and any other server the seed too.
fn greet(port: u16, is_load: bool) -> std::io::Result<(TcpStream, u64)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(RECOVER_LIMIT))?;
    stream.write_all(&u64::MAX.to_le_bytes())?;
    stream.read_exact(&mut [0; 8][..if is_load { 0 } else { 8 }])?;
    for _ in 0..4 {
        stream.write_all(b"hi")?;
        stream.read_exact(&mut [0; 2])?;
    }
    Ok((stream, 16))
}

/// Does what an honest end would: honours switches, switches, and puts a few bytes into the ring. Whether the victim took part.
fn be_honest(stream: &mut TcpStream, slot: &Slot, mut sent: u64) -> bool {
    let tell = |at, value| slot.victim.store(at, value).expect("a word of the slot");
    tell(layout::RECEIVED, 8);
    tell(layout::READY, 1);
    let began = Instant::now();
    while slot.own.load(layout::READY) != 1 {
        if began.elapsed() > Duration::from_millis(200) || stream.write_all(b"x").is_err() {
            return false;
        }
        sent += 1;
        sleep(Duration::from_millis(1));
    }
    tell(layout::SWITCH_AT, sent);
    tell(layout::RUNG, 1);
    slot.victim.write(layout::RING, b"through the ring").expect("room");
    tell(layout::EPOCH, 1);
    tell(layout::TAIL, 16);
    let _ = stream.write_all(&[0]);
    sleep(Duration::from_millis(2));
    slot.own.load(layout::EPOCH) != 0 || slot.own.load(layout::ACK) == 1
}

fn lie(numbers: &mut Numbers, slot: &Slot) -> u64 {
    let capacity = slot.pairing.ring_capacity as u64;
    let edges = [0, 1, 2, 3, 17, 64, capacity - 1, capacity, capacity + 1, 1 << 32, (1 << 32) - 1, (1 << 56) - 1];
    let highest = [u64::MAX, u64::MAX - 1, 1 << 63, 1 << 56, i64::MAX as u64, 1 << 63 | 1];
    match numbers.below(5) {
        0 => numbers.next(),
        1 => highest[numbers.below(highest.len() as u64) as usize],
        2 => numbers.below(100),
        _ => edges[numbers.below(edges.len() as u64) as usize],
    }
}

/// Writes one thing in one place, or anything anywhere for a while.
fn attack(numbers: &mut Numbers, stream: &mut TcpStream, slot: &Slot) {
    let (word, subtle) = (WORDS[numbers.below(WORDS.len() as u64) as usize], numbers.below(3));
    match subtle {
        0 => {
            let _ = slot.victim.store(word, lie(numbers, slot));
            return drop(stream.write_all(&[0]));
        }
        1 if numbers.below(3) == 0 => return drop(stream.write_all(&numbers.bytes(100))),
        _ => {}
    }
    for _ in 0..1 + numbers.below(12) {
        for _ in 0..1 + numbers.below(if numbers.0.is_multiple_of(4) { 40 } else { 3 }) {
            let at = WORDS[numbers.below(WORDS.len() as u64) as usize];
            let _ = slot.victim.store(at, lie(numbers, slot));
        }
        match numbers.below(6) {
            0 => drop(stream.write_all(&numbers.bytes(100))),
            1 => drop(stream.write_all(&[0])),
            2 => drop(slot.victim.notify()),
            3 => {
                let at = layout::RING + numbers.below(2 * slot.pairing.ring_capacity as u64) as usize;
                let _ = slot.victim.write(at, &numbers.bytes(300));
            }
            4 => sleep(Duration::from_micros(numbers.below(4000))),
            _ => {}
        }
    }
}

/// What became of a connection, as its attacker sees it.
fn outcome(stream: &mut TcpStream) -> &'static str {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(15)));
    let mut buffer = [0; 4096];
    for _ in 0..20 {
        match stream.read(&mut buffer) {
            Ok(0) => return "end",
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return "reset",
            Err(error) if error.kind() == ErrorKind::WouldBlock => return "stands still",
            Err(_) => return "other",
        }
    }
    "goes on"
}

/// Threads of the victim; each connection has one.
fn threads(victim: &Program) -> usize {
    std::fs::read_dir(format!("/proc/{}/task", victim.pid())).map_or(0, Iterator::count)
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs());
    let seed = std::env::var("VMMC_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now);
    println!("VMMC_TEST_SEED={seed}");
    seed
}

fn drive(stage: &Stage, port: &str, milliseconds: u64, seed: u64) -> Program {
    let (count, milliseconds, seed) = (HEALTHY.to_string(), milliseconds.to_string(), seed.to_string());
    let words = [LOAD, "drive", port, &count, &milliseconds, &seed];
    stage.client(&words).limit(Duration::from_secs(300)).start()
}

/// The victim of a siege.
struct Victim {
    program: Program,
    port: u16,
    is_load: bool,
}

/// Attacks one after another until `limit`; what was seen of them.
fn siege(
    stage: &Stage,
    victim: &mut Victim,
    limit: Duration,
    seed: u64,
) -> (HashMap<&'static str, u32>, BTreeSet<String>) {
    let (mut hostile, mut outcomes, mut reasons) = (Hostile::new(stage), HashMap::new(), BTreeSet::new());
    let Victim { program: victim, port, is_load } = victim;
    let began = Instant::now();
    for number in 0..ATTACKS {
        if began.elapsed() > limit {
            break;
        }
        let mut numbers = Numbers(seed.wrapping_add(number));
        let greeted = greet(*port, *is_load);
        assert!(victim.is_alive(), "seed {seed}, before attack {number}: the victim died:\n{}", victim.logs());
        let (mut stream, sent) = greeted.unwrap_or_else(|error| panic!("seed {seed}, attack {number}: {error}"));
        let Some(slot) = hostile.pair(number, &stream) else {
            *outcomes.entry("not paired").or_default() += 1;
            continue;
        };
        if numbers.below(4) > 0 && be_honest(&mut stream, &slot, sent) {
            *outcomes.entry("took the road").or_default() += 1;
        }
        attack(&mut numbers, &mut stream, &slot);
        *outcomes.entry(outcome(&mut stream)).or_default() += 1;
        drop(stream);
        hostile.release(&slot.pairing);
        assert!(victim.is_alive(), "seed {seed}, attack {number}: the victim died:\n{}", victim.logs());
        if number % 12 == 11 {
            reasons.append(&mut stage.status().reasons());
        }
    }
    (outcomes, reasons)
}

#[test]
fn a_hostile_peer_hurts_only_its_own_connection() {
    if std::env::var("VMMC_TEST_ROADS").is_ok_and(|roads| roads == "kernel") {
        return;
    }
    let seed = seed();
    let stage = Stage::new("hostile", Ends::Both, None);
    let port = net::free_port();
    let text = port.to_string();
    let program = stage.server(&[LOAD, "serve", &text]).limit(Duration::from_secs(300)).start();
    let mut victim = Victim { program, port, is_load: true };
    net::await_listener(&mut victim.program, port);
    let healthy = drive(&stage, &text, MILLISECONDS, seed);
    stage.await_both_ways(RECOVER_LIMIT);
    let (outcomes, reasons) = siege(&stage, &mut victim, Duration::from_millis(MILLISECONDS - 2000), seed);
    println!("{outcomes:?}; reasons {reasons:?}");
    let healthy = healthy.finish();
    assert_eq!(healthy.stdout, "end\n".repeat(HEALTHY), "seed {seed}: healthy connections: {}", healthy.stderr);
    let began = Instant::now();
    // The main thread, the service thread, and nobody who serves a connection.
    while threads(&victim.program) > 2 {
        assert!(began.elapsed() < RECOVER_LIMIT, "seed {seed}: {} threads hang", threads(&victim.program) - 2);
        sleep(Duration::from_millis(50));
    }
    let after = drive(&stage, &text, 500, seed + 1).finish();
    assert_eq!(after.stdout, "end\n".repeat(HEALTHY), "seed {seed}: after the attacks: {}", after.stderr);
    assert!(victim.program.is_alive(), "seed {seed}: the victim died in the end");
    for seen in ["took the road", "reset"] {
        assert!(outcomes.contains_key(seen), "seed {seed}: never seen: {seen}; {outcomes:?}");
    }
    for reason in ["peer-lied", "stranger-byte"] {
        assert!(reasons.contains(reason), "seed {seed}: never noticed: {reason}; {reasons:?}");
    }
}

/// Servers with one thread for all: a lie must not hold up the event loop.
#[test]
fn event_loops_go_on() {
    if std::env::var("VMMC_TEST_ROADS").is_ok_and(|roads| roads == "kernel") {
        return;
    }
    let seed = seed();
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/echo_server.py");
    for mode in ["selectors", "poll", "asyncio"] {
        let stage = Stage::new("hostile", Ends::Both, None);
        let port = net::free_port();
        let words = ["python3", server, mode, &port.to_string(), "-", "-"];
        let program = stage.server(&words).limit(Duration::from_secs(300)).start();
        let mut victim = Victim { program, port, is_load: false };
        net::await_listener(&mut victim.program, port);
        let (outcomes, _) = siege(&stage, &mut victim, Duration::from_secs(2), seed);
        println!("{mode}: {outcomes:?}");
        let greeted = greet(port, false);
        assert!(greeted.is_ok(), "{mode}, seed {seed}, after the attacks: {greeted:?}\n{}", victim.program.logs());
        assert!(outcomes.contains_key("took the road"), "{mode}, seed {seed}: {outcomes:?}");
    }
}
