//! Two connected sockets of one process, paired by hand and not by a broker: the trip of the bytes, on whatever system.
use crate::connection::{Connection, phase};
use crate::{Ending, data, lifecycle, options, process, table, wait};
use std::io::{IoSlice, IoSliceMut};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use vmmc_os::{PollFd, abi, kernel};
use vmmc_shm::Segment;
use vmmc_sync::Ordering;

const CAPACITY: usize = 64 * 1024;
const SHUT_SEND: i32 = 1;

#[cfg(target_os = "linux")]
fn number(socket: &impl std::os::fd::AsRawFd) -> i32 {
    socket.as_raw_fd()
}
#[cfg(windows)]
fn number(socket: &impl std::os::windows::io::AsRawSocket) -> i32 {
    socket.as_raw_socket() as i32
}

/// As the service thread does it with the broker's answer.
fn pair(connection: &'static Connection, own: Segment, peer: Segment) {
    connection.own_slot.store(own.addr() as u64, Ordering::Relaxed);
    connection.peer_slot.store(peer.addr() as u64, Ordering::Relaxed);
    connection.slot_len.store(vmmc_protocol::slot::size(CAPACITY) as u64, Ordering::Relaxed);
    connection.own_bell.store(u32::MAX, Ordering::Relaxed);
    connection.peer_bell.store(u32::MAX, Ordering::Relaxed);
    connection.send.pair(CAPACITY as u64);
    connection.recv.pair(CAPACITY as u64);
    connection.phase.store(phase::PAIRED, Ordering::Release);
}

/// Both ends, which stay open: the one that connected, and the one that accepted.
fn ends() -> (i32, i32) {
    process::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (there, _) = listener.accept().unwrap();
    lifecycle::opened(number(&listener), abi::AF_INET, abi::SOCK_STREAM, 0);
    lifecycle::listening(number(&listener));
    lifecycle::opened(number(&here), abi::AF_INET, abi::SOCK_STREAM, 0);
    lifecycle::connected(number(&here), 0);
    lifecycle::accepted(number(&listener), number(&there), 0);
    let _ = lifecycle::before_close(number(&listener));
    let ends = (number(&here), number(&there));
    let segment = || {
        let (segment, file) = Segment::create(vmmc_protocol::slot::size(CAPACITY)).unwrap();
        kernel::close(file).unwrap();
        segment
    };
    let (one, other) = (segment(), segment());
    pair(table::lookup(ends.0).unwrap(), one, other);
    pair(table::lookup(ends.1).unwrap(), other, one);
    // The test ends with the process.
    core::mem::forget((here, there));
    ends
}

/// As [`ends`], with both directions on the ring.
pub(crate) fn ends_on_ring() -> (i32, i32) {
    let (here, there) = ends();
    for round in 0..20u8 {
        send(here, &[round]);
        recv_all(there, &mut [0]);
        send(there, &[round]);
        recv_all(here, &mut [0]);
    }
    assert!(on_ring(here).1 > 0 && on_ring(there).1 > 0);
    (here, there)
}

pub(crate) fn send(fd: i32, bytes: &[u8]) {
    let mut sent = 0;
    while sent < bytes.len() {
        match data::send(fd, &[IoSlice::new(&bytes[sent..])], 0) {
            Ending::Handled(n) => sent += n as usize,
            other => panic!("send: {other:?}"),
        }
    }
}

/// What one receive brought.
fn recv(fd: i32, room: &mut [u8]) -> usize {
    match data::recv(fd, &mut [IoSliceMut::new(room)], 0) {
        Ending::Handled(n) => n as usize,
        other => panic!("recv: {other:?}"),
    }
}

fn recv_all(fd: i32, room: &mut [u8]) {
    let mut done = 0;
    while done < room.len() {
        let n = recv(fd, &mut room[done..]);
        assert!(n > 0, "the stream ended after {done} bytes");
        done += n;
    }
}

fn on_ring(fd: i32) -> (u64, u64) {
    let record = &table::lookup(fd).unwrap().record;
    (record.outgoing.vmmc_bytes.load(Ordering::Relaxed), record.incoming.vmmc_bytes.load(Ordering::Relaxed))
}

/// Sends back whatever comes, until the stream ends.
fn echo(fd: i32) {
    let mut room = vec![0; 48 * 1024];
    loop {
        let n = recv(fd, &mut room);
        if n == 0 {
            return;
        }
        send(fd, &room[..n]);
    }
}

#[test]
fn small_messages_and_bulk_come_back_whole_over_memory_and_a_half_close_ends_them() {
    let (here, there) = ends();
    let bulk: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| echo(there));
        for round in 0..300u64 {
            let mut answer = [0; 8];
            send(here, &round.to_le_bytes());
            recv_all(here, &mut answer);
            assert_eq!(u64::from_le_bytes(answer), round);
            if round.is_multiple_of(50) {
                // Long enough that both ends sleep in the kernel: doorbells wake them.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        scope.spawn(|| send(here, &bulk));
        let mut back = vec![0; bulk.len()];
        recv_all(here, &mut back);
        assert!(back == bulk);
        assert_eq!(options::shutdown(here, SHUT_SEND), Ending::Handled(0));
    });
    let (sent, received) = on_ring(here);
    assert!(sent > 1000 && received > 1000, "{sent} bytes went over memory, {received} came");
}

#[test]
fn a_poll_sleeps_until_ring_bytes_come_and_finds_them() {
    let (here, there) = ends_on_ring();
    let mut fds = [PollFd { fd: there, events: abi::POLLIN, revents: 0 }];
    assert_eq!(wait::poll(&mut fds, Some(Duration::from_millis(1)), None), Ending::Handled(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            send(here, b"x");
        });
        assert_eq!(wait::poll(&mut fds, Some(Duration::from_secs(20)), None), Ending::Handled(1));
    });
    assert!(fds[0].revents & abi::POLLIN != 0);
    assert_eq!(options::readable_bytes(there), Ending::Handled(1));
    recv_all(there, &mut [0]);
}

#[test]
fn what_goes_past_us_is_noticed_and_the_stream_stays_on_the_kernel_road() {
    let (here, there) = ends();
    for _ in 0..5 {
        kernel::send(here, b"past us", 0).unwrap();
        send(here, b"counted");
        recv_all(there, &mut [0; 14]);
        send(there, b"!");
        recv_all(here, &mut [0]);
    }
    assert_eq!(on_ring(here).0, 0);
}
