//! What is paired, and what never is.

mod support;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use support::*;
use vmmc_protocol::{Client, Event, Reason, slot};

#[test]
fn two_processes_get_one_slot_with_crossed_memory_and_bells() {
    let Scene { dir: _dir, broker: _broker, server, client } = Scene::new("two");
    let (near, far) = connection();
    let (at_client, at_server) = pair(&client, &near, &server, &far);

    assert_eq!((at_client.pairing.token, at_server.pairing.token), (1, 2));
    assert_eq!((at_client.pairing.link, at_client.pairing.slot), (at_server.pairing.link, at_server.pairing.slot));
    assert_ne!(at_client.pairing.side, at_server.pairing.side);
    assert_eq!(at_client.pairing.ring_capacity, 2 * 1024 * 1024);
    assert_eq!(at_client.pairing.peer_pid, std::process::id());

    let (mine, theirs) = (at_client.segment.unwrap(), at_server.segment.unwrap());
    let (import, export) = (file(mine.import), file(theirs.export));
    import.write_all_at(b"deliberate update", at_client.pairing.peer_offset as u64).unwrap();
    let mut landed = [0; 17];
    export.read_exact_at(&mut landed, at_server.pairing.own_offset as u64).unwrap();
    assert_eq!(&landed, b"deliberate update");
    assert_eq!(export.metadata().unwrap().len() as usize, slot::Chunk::of(0).unwrap().len());

    rustix::io::write(borrowed(mine.peer_bell.number()), &1u64.to_ne_bytes()).unwrap();
    let mut rung = [0; 8];
    rustix::io::read(borrowed(theirs.own_bell.number()), &mut rung).unwrap();
    assert_eq!(u64::from_ne_bytes(rung), 1);
}

#[test]
fn a_second_connection_gets_the_next_slot_of_the_link_and_no_new_memory() {
    let Scene { dir: _dir, broker: _broker, server, client } = Scene::new("second");
    let ends: Vec<_> = (0..17).map(|_| connection()).collect();
    for (number, (near, far)) in ends.iter().enumerate() {
        let (one, other) = pair(&client, near, &server, far);
        assert_eq!(one.pairing.slot as usize, number);
        // Sixteen slots share a chunk.
        assert_eq!((one.segment.is_some(), other.segment.is_some()), (number % 16 == 0, number % 16 == 0));
    }
}

#[test]
fn both_ends_may_be_one_process() {
    let dir = Dir::new("self");
    let _broker = Running::start(&dir);
    let guest = Guest::new(&dir);
    let (near, far) = connection();
    guest.offer(1, &near);
    guest.offer(2, &far);
    assert_eq!(guest.confirm(), 1);
    guest.offer(1, &near);
    let (one, other) = (guest.paired(), guest.paired());
    assert_ne!(one.pairing.side, other.pairing.side);
    assert_eq!(one.pairing.slot, other.pairing.slot);
    let (one, other) = (one.segment.unwrap(), other.segment.unwrap());
    file(one.import).write_all_at(b"x", 0).unwrap();
    let mut landed = [0];
    file(other.export).read_exact_at(&mut landed, 0).unwrap();
    assert_eq!(&landed, b"x");
}

#[test]
fn a_socket_connected_to_itself_is_not_paired_with_itself() {
    let Scene { dir: _dir, broker: _broker, server: guest, client: other } = Scene::new("own-end");
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    rustix::net::connect(&socket, &rustix::net::getsockname(&socket).unwrap()).unwrap();
    guest.offer(1, &socket);
    guest.offer(1, &socket);
    guest.hears_nothing();
    other.offer(1, &socket);
    assert_eq!(guest.refused(), (1, Reason::SHARED_BEFORE_PAIRING));
    other.hears_nothing();
}

#[test]
fn ipv4_meets_ipv6() {
    let Scene { dir: _dir, broker: _broker, server, client } = Scene::new("families");
    let listener = TcpListener::bind("[::]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "::1"] {
        let near = TcpStream::connect((host, port)).unwrap();
        let far = listener.accept().unwrap().0;
        pair(&client, &near, &server, &far);
    }
}

#[test]
fn ends_of_different_connections_are_never_paired() {
    let Scene { dir, broker: _broker, server, client } = Scene::new("mismatch");
    let ((near, _far), (_near, far)) = (connection(), connection());
    client.offer(1, &near);
    server.offer(2, &far);
    client.hears_nothing();
    server.hears_nothing();
    await_pending(&dir, 2);
}

#[test]
fn an_offer_alone_waits_and_holds_no_duplicate() {
    let dir = Dir::new("alone");
    let _broker = Running::start(&dir);
    let guest = Guest::new(&dir);
    let (near, mut far) = connection();
    guest.offer(1, &near);
    await_pending(&dir, 1);
    drop(near);
    far.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(far.read(&mut [0]).unwrap(), 0, "the connection ends when its process closes it");
}

#[test]
fn a_stale_offer_is_not_paired_with_the_next_user_of_its_port() {
    let Scene { dir, broker: _broker, server: stale, client: server } = Scene::new("stale");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = near.local_addr().unwrap().port();
    let far = listener.accept().unwrap().0;
    stale.offer(1, &near);
    await_pending(&dir, 1);
    // A reset, so that the port is free at once.
    rustix::net::sockopt::set_socket_linger(&near, Some(Duration::ZERO)).unwrap();
    drop((near, far));

    let again = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::sockopt::set_socket_reuseaddr(&again, true).unwrap();
    let address: std::net::SocketAddr = ([127, 0, 0, 1], port).into();
    rustix::net::bind(&again, &address).unwrap();
    rustix::net::connect(&again, &listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    server.offer(2, &far);
    assert_eq!(stale.confirm(), 1);
    // Whatever it shows instead, it does not hold this connection's end.
    let (other, _kept) = connection();
    stale.offer(1, &other);
    server.hears_nothing();
    stale.hears_nothing();

    // The true end is found all the same, once it is offered.
    let true_end = Guest::new(&dir);
    true_end.offer(3, &again);
    assert_eq!(server.confirm(), 2);
    server.offer(2, &far);
    assert_eq!(true_end.paired().pairing.token, 3);
    assert_eq!(server.paired().pairing.token, 2);
}

#[test]
fn a_withdrawn_offer_is_not_asked_for_and_ends_a_trial() {
    let Scene { dir: _dir, broker: _broker, server: first, client: second } = Scene::new("withdrawn");
    let (near, far) = connection();
    first.offer(1, &near);
    first.client.withdraw(1).unwrap();
    second.offer(2, &far);
    first.hears_nothing();

    first.offer(3, &near);
    assert_eq!(second.confirm(), 2);
    second.client.withdraw(2).unwrap();
    second.hears_nothing();
    first.hears_nothing();
    let mut far = far;
    drop(near);
    far.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(far.read(&mut [0]).unwrap(), 0, "no duplicate of the other end is held any more");
}

#[test]
fn an_unanswered_question_lets_go_of_the_socket_and_a_late_answer_still_pairs() {
    let Scene { dir, broker: _broker, server: first, client: second } = Scene::new("late");
    let (near, far) = connection();
    first.offer(1, &near);
    await_pending(&dir, 1);
    second.offer(2, &far);
    assert_eq!(first.confirm(), 1);
    std::thread::sleep(Duration::from_millis(150));
    first.offer(1, &near);
    assert_eq!(second.confirm(), 2, "now the second is asked");
    second.offer(2, &far);
    assert_eq!(first.paired().pairing.token, 1);
    assert_eq!(second.paired().pairing.token, 2);
}

#[test]
fn a_question_keeps_a_dead_end_alive_for_a_tenth_of_a_second_at_most() {
    let Scene { dir, broker: _broker, server: first, client: second } = Scene::new("held");
    let (mut near, far) = connection();
    first.offer(1, &near);
    await_pending(&dir, 1);
    second.offer(2, &far);
    assert_eq!(first.confirm(), 1);
    let closed = Instant::now();
    drop(far);
    near.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(near.read(&mut [0]).unwrap(), 0);
    assert!(closed.elapsed() < Duration::from_millis(1000), "{:?}", closed.elapsed());
}

#[test]
fn a_lingering_close_does_not_keep_the_broker() {
    let Scene { dir, broker: _broker, server: first, client: second } = Scene::new("linger");
    let (near, mut far) = connection();
    rustix::net::sockopt::set_socket_linger(&far, Some(Duration::from_secs(20))).unwrap();
    far.set_nonblocking(true).unwrap();
    while std::io::Write::write(&mut far, &[0; 65536]).is_ok() {}
    first.offer(1, &near);
    await_pending(&dir, 1);
    second.offer(2, &far);
    assert_eq!(first.confirm(), 1);
    // Now the broker's duplicate is the last, and closing it waits for the other end to read.
    drop(far);
    second.client.withdraw(2).unwrap();
    await_pending(&dir, 1);
    assert!(Client::ping(&dir.runtime(), 1000).is_ok());
}

#[test]
fn an_end_that_finished_before_the_answer_is_not_paired() {
    let Scene { dir, broker: _broker, server: first, client: second } = Scene::new("finished");
    let (near, far) = connection();
    first.offer(1, &near);
    await_pending(&dir, 1);
    second.offer(2, &far);
    assert_eq!(first.confirm(), 1);
    far.shutdown(std::net::Shutdown::Both).unwrap();
    first.offer(1, &near);
    assert_eq!(first.refused(), (1, Reason::NOT_ESTABLISHED));
    second.hears_nothing();
}

#[test]
fn what_is_no_connection_is_refused_by_name() {
    let dir = Dir::new("refused");
    let _broker = Running::start(&dir);
    let guest = Guest::new(&dir);
    guest.offer(7, &std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    assert_eq!(guest.refused(), (7, Reason::NOT_STREAM));
    guest.offer(8, &TcpListener::bind("127.0.0.1:0").unwrap());
    assert_eq!(guest.refused(), (8, Reason::NOT_ESTABLISHED));
}

#[test]
fn of_two_processes_that_share_a_socket_the_later_one_counts() {
    let dir = Dir::new("shared");
    let _broker = Running::start(&dir);
    let (parent, child, peer) = (Guest::new(&dir), Guest::new(&dir), Guest::new(&dir));
    let (near, far) = connection();
    parent.offer(1, &near);
    await_pending(&dir, 1);
    child.offer(1, &near.try_clone().unwrap());
    assert_eq!(parent.refused(), (1, Reason::SHARED_BEFORE_PAIRING));
    let (one, _) = pair(&child, &near, &peer, &far);
    assert_eq!(one.pairing.slot, 0);
    parent.hears_nothing();
}

#[test]
fn pairs_that_find_no_room_for_a_trial_are_paired_later() {
    const PAIRS: u64 = 300;
    const TRIALS: usize = 256;
    let Scene { dir, broker: _broker, server: first, client: second } = Scene::new("room");
    let ends: Vec<_> = (0..PAIRS).map(|_| connection()).collect();
    for (token, (near, _)) in (0..).zip(&ends) {
        first.offer(token, near);
    }
    await_pending(&dir, 300);
    for (token, (_, far)) in (0..).zip(&ends) {
        second.offer(token, far);
    }
    await_pending(&dir, 600);
    // What the first does not answer within 100 ms makes room, so that nobody can keep the others out.
    let asked = std::iter::from_fn(|| first.within(A_WHILE)).take(TRIALS).count();
    assert_eq!(asked, TRIALS);
    let (mut near_paired, mut far_paired) = (0, 0);
    let started = Instant::now();
    while (near_paired, far_paired) != (PAIRS - TRIALS as u64, PAIRS - TRIALS as u64) {
        assert!(started.elapsed() < SOON, "{near_paired} and {far_paired} paired");
        for (guest, paired, is_near) in [(&first, &mut near_paired, true), (&second, &mut far_paired, false)] {
            match guest.within(Duration::from_millis(1)) {
                Some(Event::Confirm { token }) => {
                    let (near, far) = &ends[token as usize];
                    guest.offer(token, if is_near { near } else { far });
                }
                Some(Event::Paired(_)) => *paired += 1,
                Some(event) => panic!("{event:?}"),
                None => {}
            }
        }
    }
}

#[test]
fn two_thousand_connections_are_paired_quickly() {
    const CONNECTIONS: usize = 2000;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all).unwrap();

    let dir = Dir::new("many");
    let _broker = Running::start(&dir);
    let guests = [Guest::new(&dir), Guest::new(&dir)];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ends: Vec<[TcpStream; 2]> = (0..CONNECTIONS)
        .map(|_| [TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener.accept().unwrap().0])
        .collect();

    let started = Instant::now();
    let mut settled = [0, 0];
    let take = |side: usize, settled: &mut [usize; 2]| {
        while let Some(event) = guests[side].client.receive().unwrap() {
            match event {
                Event::Confirm { token } => guests[side].offer(token, &ends[token as usize][side]),
                Event::Paired(_) => settled[side] += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    for (token, pair) in ends.iter().enumerate() {
        for side in [0, 1] {
            while guests[side].client.offer(token as u64, pair[side].as_raw_fd()).is_err() {
                take(side, &mut settled);
                std::thread::yield_now();
            }
        }
    }
    while settled != [CONNECTIONS; 2] {
        assert!(started.elapsed() < Duration::from_secs(20), "{settled:?} of {CONNECTIONS}");
        take(0, &mut settled);
        take(1, &mut settled);
        std::thread::yield_now();
    }
    let status = Client::ping(&dir.runtime(), 1000).unwrap();
    println!("{CONNECTIONS} connections paired in {:?}; {status:?}", started.elapsed());
    assert_eq!((status.links, status.pending), (1, 0));
}
