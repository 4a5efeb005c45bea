//! Three processes that say anything to one broker, with anything attached; afterwards it pairs two honest ones all the same.
//!
//! The input is a list of actions: a byte that says who does what, and what that needs.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;
use vmmc_broker::{Broker, Policy};
use vmmc_os::channel::{Access, Attached, Channel};
use vmmc_protocol::message::{Bytes, Request, SIZE, Side};
use vmmc_protocol::{Client, Event, RuntimeDir, slot};

struct World {
    broker: Broker,
    place: RuntimeDir,
    /// Both ends of some connections, and what is no socket.
    sockets: Vec<TcpStream>,
    other: std::fs::File,
}

impl World {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("vmmc-fuzz-{}", std::process::id()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = || {
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            [near, listener.accept().unwrap().0]
        };
        Self {
            broker: Broker::bind(&dir, Access::Owner, Policy::default()).unwrap(),
            place: RuntimeDir::at(dir.as_os_str().as_bytes()).unwrap(),
            sockets: (0..3).flat_map(|_| connection()).collect(),
            other: std::fs::File::open("/dev/null").unwrap(),
        }
    }

    fn turn(&mut self) {
        self.broker.turn(Some(Duration::ZERO)).unwrap();
    }

    fn say(&self, who: &Channel, bytes: &[u8], attached: u8) {
        let socket = self.sockets[usize::from(attached) % self.sockets.len()].as_raw_fd();
        let other = self.other.as_raw_fd();
        // It may have been hung up on.
        let _ = match attached >> 4 {
            0..8 => who.send(bytes, Attached::Socket(socket)),
            8..12 => who.send(bytes, Attached::Nothing),
            12 => who.send(bytes, Attached::Objects(&[other])),
            _ => who.send(bytes, Attached::Objects(&[socket, other, socket, other])),
        };
    }

    /// Two honest processes find each other.
    fn pairs_honest_ones(&mut self) {
        let clients = [0, 1].map(|_| Client::connect(&self.place).unwrap());
        let numbers = [self.sockets[4].as_raw_fd(), self.sockets[5].as_raw_fd()];
        let offer = |at: usize| clients[at].offer(at as u64, numbers[at]).unwrap();
        (0..2).for_each(offer);
        let mut paired = 0;
        for _ in 0..1000 {
            self.turn();
            for (at, client) in clients.iter().enumerate() {
                match client.receive().unwrap() {
                    Some(Event::Confirm { .. }) => offer(at),
                    Some(Event::Paired(_)) => paired += 1,
                    Some(event) => panic!("{event:?}"),
                    None => {}
                }
            }
            if paired == 2 {
                return;
            }
        }
        panic!("they do not find each other");
    }
}

/// A message that makes sense, mostly.
fn request(kind: u8, argument: u8) -> Bytes {
    let token = u64::from(argument % 4);
    match kind % 7 {
        0 => Request::Hello { layout: slot::LAYOUT + u32::from(argument == 0) },
        1 | 2 => Request::Offer { token },
        3 => Request::Withdraw { token },
        4 => Request::Release { link: token, slot: u32::from(argument >> 4), side: Side::First, unmapped: kind > 127 },
        5 => Request::Ping,
        _ => {
            if argument > 127 {
                Request::Table
            } else {
                Request::Tables
            }
        }
    }
    .encode()
}

thread_local!(static WORLD: RefCell<World> = RefCell::new(World::new()));

fuzz_target!(|input: &[u8]| {
    WORLD.with_borrow_mut(|world| {
        let processes = [0, 1, 2].map(|_| Channel::connect(world.place.as_bytes()).unwrap());
        let mut rest = input;
        while let [who, kind, argument, attached, more @ ..] = rest {
            rest = more;
            let process = &processes[usize::from(who % 3)];
            match who >> 5 {
                0 => world.turn(),
                1 => {
                    let length = rest.len().min(SIZE + usize::from(kind % 2));
                    world.say(process, &rest[..length], *attached);
                    rest = &rest[length..];
                }
                2 => {
                    let mut bytes = request(*kind, *argument);
                    bytes[usize::from(*argument) % SIZE] ^= 1 << (kind % 8);
                    world.say(process, &bytes, *attached);
                }
                3 => drop(process.receive::<SIZE>()),
                _ => world.say(process, &request(*kind, *argument), *attached),
            }
        }
        world.turn();
        drop(processes);
        world.turn();
        world.pairs_honest_ones();
        world.turn();
    });
});
