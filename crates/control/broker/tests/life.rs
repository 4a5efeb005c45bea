//! How slots, links, processes and brokers end, and who is told.

mod support;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use std::os::unix::fs::FileExt;
use support::*;
use vmmc_broker::{Broker, Policy};
use vmmc_os::channel::{Access, Attached, Channel, Received};
use vmmc_protocol::message::{Reply, Request, SIZE, Side};
use vmmc_protocol::{Client, ControlError, Event, Reason, slot};

/// A connection to the broker on which anything can be said.
fn raw(dir: &Dir) -> Channel {
    Channel::connect(dir.runtime().as_bytes()).unwrap()
}

fn say(channel: &Channel, request: Request) {
    channel.send(&request.encode(), Attached::Nothing).unwrap();
}

/// Whether the broker hangs up, after its welcome.
fn is_dropped(channel: &Channel) -> bool {
    let started = std::time::Instant::now();
    while started.elapsed() < SOON {
        match channel.receive::<SIZE>().unwrap() {
            Received::End => return true,
            Received::Message(bytes, _) => assert_eq!(Reply::decode(&bytes), Ok(Reply::Welcome)),
            _ => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    }
    false
}

#[test]
fn a_slot_comes_back_zero_when_both_ends_have_released_it() {
    let Scene { dir: _dir, broker: _broker, server, client } = Scene::new("reuse");
    let (near, far) = connection();
    let (mut one, mut other) = pair(&client, &near, &server, &far);
    let (memory, bells) = (one.segment.take().unwrap(), other.segment.take().unwrap());
    let (own, peers) = (file(memory.export), file(memory.import));
    let end = slot::size(one.pairing.ring_capacity) as u64;
    for file in [&own, &peers] {
        file.write_all_at(b"old", 0).unwrap();
        file.write_all_at(b"old", end - 3).unwrap();
    }

    client.release(&one);
    let (near, far) = connection();
    let (one, _) = pair(&client, &near, &server, &far);
    assert_eq!(one.pairing.slot, 1, "the other end has not released slot 0");
    server.release(&other);
    // Pairing again shows that the release was read: one process's messages are read in order.
    let (near, far) = connection();
    let (one, other) = pair(&client, &near, &server, &far);
    assert_eq!((one.pairing.slot, other.pairing.slot), (0, 0));
    for file in [own, peers] {
        for at in [0, end - 3] {
            let mut bytes = [1; 3];
            file.read_exact_at(&mut bytes, at).unwrap();
            assert_eq!(bytes, [0; 3]);
        }
    }
    drop(bells);
}

#[test]
fn a_process_that_declined_a_chunk_is_sent_it_again() {
    let Scene { dir: _dir, broker: _broker, server, client } = Scene::new("declined");
    let (near, far) = connection();
    let (one, other) = pair(&client, &near, &server, &far);
    client.client.decline(one.pairing.link, one.pairing.slot, one.pairing.side).unwrap();
    server.release(&other);
    let (near, far) = connection();
    let (one, other) = pair(&client, &near, &server, &far);
    assert_eq!((one.pairing.chunk, other.pairing.chunk), (0, 0));
    assert!(one.segment.is_some() && other.segment.is_none());
}

#[test]
fn the_survivor_is_told_and_its_memory_is_left_alone() {
    let Scene { dir, broker: _broker, server, client } = Scene::new("death");
    let (near, far) = connection();
    let (one, mut other) = pair(&client, &near, &server, &far);
    let unread = file(other.segment.take().unwrap().export);
    unread.write_all_at(b"last words", 0).unwrap();
    client.offer(9, &near);
    drop(client);
    match server.next() {
        Event::LinkClosed { link } => assert_eq!(link, one.pairing.link),
        event => panic!("{event:?}"),
    }
    server.release(&other);
    await_status(&dir, |status| (status.links, status.pending) == (0, 0));
    let mut words = [0; 10];
    unread.read_exact_at(&mut words, 0).unwrap();
    assert_eq!(&words, b"last words");

    // A new process gets a new link.
    let client = Guest::new(&dir);
    let (near, far) = connection();
    let (one, _) = pair(&client, &near, &server, &far);
    assert_ne!(one.pairing.link, other.pairing.link);
    assert!(one.segment.is_some());
}

#[test]
fn the_death_of_a_trials_second_ends_it() {
    let Scene { dir, broker: _broker, server: first, client: second } = Scene::new("trial-death");
    let (near, far) = connection();
    first.offer(1, &near);
    await_pending(&dir, 1);
    second.offer(2, &far);
    assert_eq!(first.confirm(), 1);
    drop(second);
    await_pending(&dir, 1);
    first.offer(1, &near);
    first.hears_nothing();
}

#[test]
fn a_restarted_broker_pairs_anew_and_what_was_paired_stays() {
    let dir = Dir::new("restart");
    let broker = Running::start(&dir);
    let (server, client) = (Guest::new(&dir), Guest::new(&dir));
    let (near, far) = connection();
    let (one, other) = pair(&client, &near, &server, &far);
    drop(broker);
    assert!(server.lost() && client.lost());
    assert_eq!(client.client.offer(2, 0), Err(ControlError::Lost));
    assert_eq!(Client::ping(&dir.runtime(), 1000), Err(ControlError::Absent));
    let (mine, theirs) = (file(one.segment.unwrap().import), file(other.segment.unwrap().export));
    mine.write_all_at(b"still here", 0).unwrap();
    let mut words = [0; 10];
    theirs.read_exact_at(&mut words, 0).unwrap();
    assert_eq!(&words, b"still here");

    let _broker = Running::start(&dir);
    let (server, client) = (Guest::new(&dir), Guest::new(&dir));
    let (again, _) = pair(&client, &near, &server, &far);
    assert_ne!(again.pairing.link, one.pairing.link, "numbers of links are not used again");
    // Of a link that this broker never knew it lets go without a word.
    client.client.release(one.pairing.link, 0, Side::First).unwrap();
    client.hears_nothing();
}

#[test]
fn there_is_one_broker_and_a_dead_ones_socket_is_replaced() {
    let dir = Dir::new("one");
    let broker = Running::start(&dir);
    let second = Broker::bind(&dir.0, Access::Owner, Policy::default()).map(drop).unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::AddrInUse);
    assert!(Client::ping(&dir.runtime(), 1000).is_ok(), "the attempt does not disturb the first");
    drop(broker);
    // What `kill -9` leaves behind: a socket that nobody listens at.
    let dead = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    rustix::net::bind(&dead, &SocketAddrUnix::new(dir.0.join("broker.sock")).unwrap()).unwrap();
    drop(dead);
    assert_eq!(Client::ping(&dir.runtime(), 1000), Err(ControlError::Absent));
    let _broker = Running::start(&dir);
    assert!(Client::ping(&dir.runtime(), 1000).is_ok());
}

#[test]
fn garbage_costs_the_one_who_says_it_its_connection_and_nobody_else() {
    let Scene { dir, broker: _broker, server, client } = Scene::new("garbage");
    let (near, far) = connection();
    let (one, _) = pair(&client, &near, &server, &far);

    let send = |channel: &Channel, bytes: &[u8]| {
        let _ = channel.send(bytes, Attached::Nothing);
    };
    let hello = Request::Hello { layout: slot::LAYOUT };
    let nonsense: [&dyn Fn(&Channel); 9] = [
        &|channel| send(channel, b"short"),
        &|channel| send(channel, &[0; SIZE + 1]),
        &|channel| send(channel, &[0xff; SIZE]),
        &|channel| send(channel, b""),
        &|channel| say(channel, Request::Ping),
        &|channel| [hello, hello].into_iter().for_each(|hello| say(channel, hello)),
        &|channel| {
            say(channel, hello);
            send(channel, &Reply::Welcome.encode());
        },
        // A descriptor with a message that takes none.
        &|channel| {
            say(channel, hello);
            channel.send(&Request::Ping.encode(), Attached::Objects(&[0])).unwrap();
        },
        // Others' slots.
        &|channel| {
            say(channel, hello);
            say(channel, Request::Release { link: one.pairing.link, slot: 0, side: Side::First, unmapped: false });
        },
    ];
    for (number, say_it) in nonsense.iter().enumerate() {
        let channel = raw(&dir);
        say_it(&channel);
        assert!(is_dropped(&channel), "nonsense number {number}");
    }
    let (near, far) = connection();
    assert_eq!(pair(&client, &near, &server, &far).0.pairing.slot, 1);
}

#[test]
fn a_process_that_has_no_descriptor_to_show_is_refused_not_dropped() {
    let dir = Dir::new("no-descriptor");
    let _broker = Running::start(&dir);
    let guest = Guest::new(&dir);
    let channel = std::mem::ManuallyDrop::new(Channel::from_raw(guest.client.fd()));
    say(&channel, Request::Offer { token: 4 });
    assert_eq!(guest.refused(), (4, Reason::NO_MEMORY));
}

#[test]
fn libraries_of_different_versions_are_not_paired() {
    let dir = Dir::new("versions");
    let _broker = Running::start(&dir);
    let new = Guest::new(&dir);
    let old = raw(&dir);
    say(&old, Request::Hello { layout: slot::LAYOUT + 1 });
    let old = Guest { client: Client::from_raw(old.into_raw()) };
    let (near, far) = connection();
    old.offer(1, &near);
    await_pending(&dir, 1);
    new.offer(2, &far);
    assert_eq!(old.confirm(), 1);
    old.offer(1, &near);
    assert_eq!(old.refused(), (1, Reason::VERSION));
    assert_eq!(new.refused(), (2, Reason::VERSION));
}

#[test]
fn what_the_broker_said_before_it_hung_up_is_heard() {
    let dir = Dir::new("last-words");
    let mut broker = Broker::bind(&dir.0, Access::Owner, Policy::default()).unwrap();
    let stranger = raw(&dir);
    broker.turn(None).unwrap();
    let mut bytes = Request::Ping.encode();
    bytes[0] += 1;
    // Of another version, and more behind it that the broker does not read any more.
    for _ in 0..3 {
        stranger.send(&bytes, Attached::Nothing).unwrap();
    }
    broker.turn(None).unwrap();
    assert!(
        matches!(stranger.receive::<SIZE>().unwrap(), Received::Message(bytes, _) if Reply::decode(&bytes) == Ok(Reply::Welcome))
    );
    assert!(matches!(stranger.receive::<SIZE>().unwrap(), Received::End));
}
