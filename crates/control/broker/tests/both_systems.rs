//! A broker and two processes' halves of the conversation, with nothing that only one system has: pairing, memory, bells,
//! tables, and what is refused. It is also run under Wine.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vmmc_broker::{Broker, Policy};
use vmmc_contract::{Export as _, Import as _};
use vmmc_os::channel::{Access, Attached, Channel, Received};
use vmmc_os::{bell, memory};
use vmmc_protocol::message::{Request, SIZE};
use vmmc_protocol::{Client, ControlError, Event, Paired, Reason, RuntimeDir, slot};
use vmmc_shm::Segment;

#[cfg(not(windows))]
fn number(socket: &TcpStream) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(socket)
}

#[cfg(windows)]
fn number(socket: &TcpStream) -> i32 {
    std::os::windows::io::AsRawSocket::as_raw_socket(socket) as i32
}

/// Long enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(10);

/// A broker in a thread, at a place of its own, until it is dropped.
struct Place {
    path: std::path::PathBuf,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Place {
    fn new(name: &str) -> Self {
        Self { path: std::env::temp_dir().join(format!("vmmc-both-{}-{name}", std::process::id())), thread: None }
    }

    fn with_broker(name: &str) -> Self {
        let mut place = Self::new(name);
        let mut broker = Broker::bind(&place.path, Access::Owner, Policy::default()).unwrap();
        let (stop, stopped) = channel();
        let turn = move || {
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                broker.turn(Some(Duration::from_millis(10))).unwrap();
            }
        };
        place.thread = Some((stop, std::thread::spawn(turn)));
        place
    }

    fn dir(&self) -> RuntimeDir {
        RuntimeDir::at(self.path.as_os_str().as_encoded_bytes()).unwrap()
    }

    fn guest(&self) -> Client {
        Client::connect(&self.dir()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            let outcome = thread.join();
            assert!(outcome.is_ok() || std::thread::panicking(), "the broker must not panic");
        }
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn next(client: &Client) -> Event {
    let begun = Instant::now();
    loop {
        if let Some(event) = client.receive().unwrap() {
            return event;
        }
        assert!(begun.elapsed() < SOON, "the broker says nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

/// Offers both ends, and answers questions, until both are paired. Tokens are 1 and 2.
fn pair(one: (&Client, &TcpStream), other: (&Client, &TcpStream)) -> (Paired, Paired) {
    one.0.offer(1, number(one.1)).unwrap();
    other.0.offer(2, number(other.1)).unwrap();
    let (mut first, mut second) = (None, None);
    let begun = Instant::now();
    while first.is_none() || second.is_none() {
        for (token, (client, socket), found) in [(1, one, &mut first), (2, other, &mut second)] {
            match client.receive().unwrap() {
                Some(Event::Confirm { .. }) => client.offer(token, number(socket)).unwrap(),
                Some(Event::Paired(paired)) => *found = Some(paired),
                Some(other) => panic!("{other:?}"),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        assert!(begun.elapsed() < SOON, "no pairing");
    }
    (first.unwrap(), second.unwrap())
}

#[test]
fn two_ends_get_crossed_memory_and_bells() {
    let place = Place::with_broker("pair");
    let (client, server) = (place.guest(), place.guest());
    let (near, far) = connection();
    let (at_client, at_server) = pair((&client, &near), (&server, &far));
    assert_eq!((at_client.pairing.token, at_server.pairing.token), (1, 2));
    assert_eq!((at_client.pairing.link, at_client.pairing.slot), (at_server.pairing.link, at_server.pairing.slot));
    assert_ne!(at_client.pairing.side, at_server.pairing.side);
    assert_eq!(at_client.pairing.peer_pid, std::process::id());

    let (mine, theirs) = (at_client.segment.unwrap(), at_server.segment.unwrap());
    let (import, export) = (Segment::map(mine.import.number()).unwrap(), Segment::map(theirs.export.number()).unwrap());
    assert_eq!(export.len(), slot::Chunk::of(0).unwrap().len());
    let import = import.import(0, import.len()).unwrap();
    let export = export.export(0, export.len()).unwrap();
    import.store(at_client.pairing.peer_offset, 4711).unwrap();
    assert_eq!(export.load(at_server.pairing.own_offset), 4711);
    bell::ring(mine.peer_bell.number());
    assert_eq!(bell::wait(theirs.own_bell.number(), Some(SOON)), Ok(true));
    assert_eq!(bell::wait(theirs.own_bell.number(), Some(Duration::ZERO)), Ok(false), "rings merge");
}

#[test]
fn a_slot_comes_back_with_its_words_zero() {
    let place = Place::with_broker("reuse");
    let (client, server) = (place.guest(), place.guest());
    let (near, far) = connection();
    let (at_client, at_server) = pair((&client, &near), (&server, &far));
    let Paired { pairing, segment } = at_client;
    let memory = Segment::map(segment.unwrap().import.number()).unwrap();
    for word in [0, slot::WORDS - 8] {
        memory.import(0, memory.len()).unwrap().store(pairing.peer_offset + word, 1).unwrap();
    }
    client.release(pairing.link, pairing.slot, pairing.side).unwrap();
    server.release(pairing.link, pairing.slot, at_server.pairing.side).unwrap();
    let (near, far) = connection();
    // The release of one and the offer of the other are not in order, so the first of the two slots may be another.
    let (again, _) = pair((&client, &near), (&server, &far));
    assert!(again.segment.is_none(), "the chunk is known");
    if again.pairing.slot == pairing.slot {
        let export = memory.export(0, memory.len()).unwrap();
        assert_eq!((export.load(pairing.peer_offset), export.load(pairing.peer_offset + slot::WORDS - 8)), (0, 0));
    }
}

#[test]
fn what_is_no_connection_is_refused_by_name() {
    let place = Place::with_broker("refused");
    let guest = place.guest();
    let (near, far) = connection();
    near.shutdown(std::net::Shutdown::Both).unwrap();
    drop(near);
    std::thread::sleep(Duration::from_millis(50));
    guest.offer(7, number(&far)).unwrap();
    assert!(matches!(next(&guest), Event::Refused { token: 7, reason: Reason::NOT_ESTABLISHED }));
}

#[test]
fn an_offer_that_was_shown_keeps_no_connection_open() {
    let place = Place::with_broker("closed");
    let (client, server) = (place.guest(), place.guest());
    let (near, mut far) = connection();
    server.offer(1, number(&far)).unwrap();
    client.offer(2, number(&near)).unwrap();
    drop(near);
    far.set_read_timeout(Some(SOON)).unwrap();
    let ended = std::io::Read::read(&mut far, &mut [0; 1]);
    assert!(!matches!(ended, Ok(1)), "the end is told although the broker held a duplicate: {ended:?}");
}

/// (On Linux a message holds what is attached to it, and the close is not told before the broker has read it.)
#[cfg(windows)]
#[test]
fn an_offer_that_nobody_has_read_keeps_no_connection_open() {
    let place = Place::new("unread");
    let _broker_that_stands_still = Broker::bind(&place.path, Access::Owner, Policy::default()).unwrap();
    let guest = place.guest();
    let (near, mut far) = connection();
    guest.offer(1, number(&near)).unwrap();
    drop((near, guest));
    far.set_read_timeout(Some(SOON)).unwrap();
    let ended = std::io::Read::read(&mut far, &mut [0; 1]);
    assert!(matches!(ended, Ok(0)), "the end is told although the offer waits: {ended:?}");
}

#[test]
fn the_dead_are_forgotten_and_their_links_closed() {
    let place = Place::with_broker("dead");
    let (client, server) = (place.guest(), place.guest());
    let (near, far) = connection();
    let (at_client, _) = pair((&client, &near), (&server, &far));
    drop(server);
    assert!(matches!(next(&client), Event::LinkClosed { link } if link == at_client.pairing.link));
    drop(client);
    let begun = Instant::now();
    while Client::ping(&place.dir(), 1000).unwrap().clients > 1 {
        assert!(begun.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn tables_are_shown_for_reading_alone_while_their_process_lives() {
    let place = Place::with_broker("tables");
    let guest = place.guest();
    let table = memory::create_sealed(c"table", memory::PAGE).unwrap();
    guest.hand_table(table).unwrap();
    // Two connections' messages are in no order.
    let begun = Instant::now();
    let (mut found, mut status) = (Vec::new(), None);
    while found.is_empty() && begun.elapsed() < SOON {
        status = Some(Client::tables(&place.dir(), 1000, |pid, table| found.push((pid, table))).unwrap());
    }
    let status = status.unwrap();
    assert_eq!((status.pid, status.clients), (std::process::id(), 2));
    let [(pid, shown)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(*pid, std::process::id());
    assert_eq!(memory::inspect(shown.number()).unwrap().len, memory::PAGE);
    assert!(memory::map_shared(shown.number(), memory::PAGE, true).is_err());
    assert!(memory::map_shared(shown.number(), memory::PAGE, false).is_ok());
    drop(guest);
    let begun = Instant::now();
    loop {
        let mut left = 0;
        Client::tables(&place.dir(), 1000, |_, _| left += 1).unwrap();
        if left == 0 {
            break;
        }
        assert!(begun.elapsed() < SOON);
    }
}

#[test]
fn garbage_costs_the_one_who_says_it_its_connection() {
    let place = Place::with_broker("garbage");
    let hello = Request::Hello { layout: slot::LAYOUT }.encode();
    let nonsense: [&[&[u8]]; 5] =
        [&[b"short"], &[&[0; SIZE + 1]], &[&[0xff; SIZE]], &[&hello, &hello], &[&Request::Ping.encode()]];
    for (number, messages) in nonsense.iter().enumerate() {
        let channel = Channel::connect(place.dir().as_bytes()).unwrap();
        for message in *messages {
            let _ = channel.send(message, Attached::Nothing);
        }
        let begun = Instant::now();
        while !matches!(channel.receive::<SIZE>().unwrap(), Received::End) {
            assert!(begun.elapsed() < SOON, "nonsense number {number}");
            channel.wait(Duration::from_millis(10)).unwrap();
        }
    }
    assert!(Client::ping(&place.dir(), 1000).is_ok());
}

#[test]
fn there_is_one_broker_and_none_is_absent() {
    let place = Place::with_broker("one");
    let second = Broker::bind(&place.path, Access::Owner, Policy::default()).map(drop).unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::AddrInUse);
    assert!(Client::ping(&place.dir(), 1000).is_ok(), "the attempt does not disturb the first");
    let nowhere = Place::new("nowhere");
    assert_eq!(Client::ping(&nowhere.dir(), 1000).unwrap_err(), ControlError::Absent);
}

#[test]
fn many_come_and_go_at_once() {
    let place = Place::with_broker("many");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let outcome = Client::ping(&place.dir(), 10_000);
                    assert!(matches!(outcome, Ok(_) | Err(ControlError::Busy)), "{outcome:?}");
                }
            });
        }
    });
}
