//! A broker on a directory of its own, and processes that speak to it over real loopback connections.
#![allow(dead_code, reason = "each test program uses its part")]

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vmmc_broker::{Broker, Policy};
use vmmc_os::channel::Access;
use vmmc_protocol::{Client, ControlError, Event, Paired, Reason, RuntimeDir, Status};

/// Long enough for anything that happens at all.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// Long enough to be sure that a thing that should not happen did not.
pub(crate) const A_WHILE: Duration = Duration::from_millis(60);

/// A directory that goes away with its owner.
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vmmc-broker-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    pub(crate) fn runtime(&self) -> RuntimeDir {
        RuntimeDir::at(self.0.as_os_str().as_bytes()).unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A broker in a thread, until it is dropped.
pub(crate) struct Running {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Running {
    pub(crate) fn start(dir: &Dir) -> Self {
        Self::turning(Broker::bind(&dir.0, Access::Owner, Policy::default()).unwrap())
    }

    /// One for all users, that goes by this policy.
    pub(crate) fn for_all(dir: &Dir, policy: &str) -> Self {
        Self::turning(Broker::bind(&dir.0, Access::Everyone, Policy::parse(policy).unwrap()).unwrap())
    }

    fn turning(mut broker: Broker) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                broker.turn(Some(Duration::from_millis(10))).unwrap();
            }
        });
        Self { thread: Some((stop, thread)) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            let outcome = thread.join();
            assert!(outcome.is_ok() || std::thread::panicking(), "the broker must not panic");
        }
    }
}

/// A process, as the broker sees it.
pub(crate) struct Guest {
    pub(crate) client: Client,
}

impl Guest {
    pub(crate) fn new(dir: &Dir) -> Self {
        Self { client: Client::connect(&dir.runtime()).unwrap() }
    }

    /// Offers, and waits while the broker is busy.
    pub(crate) fn offer(&self, token: u64, socket: &impl AsRawFd) {
        self.insist(|| self.client.offer(token, socket.as_raw_fd()));
    }

    pub(crate) fn insist(&self, mut act: impl FnMut() -> Result<(), ControlError>) {
        let started = Instant::now();
        while let Err(error) = act() {
            assert!(error == ControlError::Busy && started.elapsed() < SOON, "{error}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The next event, if one comes within `limit`.
    pub(crate) fn within(&self, limit: Duration) -> Option<Event> {
        let started = Instant::now();
        loop {
            match self.client.receive().unwrap() {
                None if started.elapsed() < limit => std::thread::sleep(Duration::from_micros(200)),
                event => return event,
            }
        }
    }

    pub(crate) fn next(&self) -> Event {
        self.within(SOON).expect("the broker says something")
    }

    pub(crate) fn confirm(&self) -> u64 {
        match self.next() {
            Event::Confirm { token } => token,
            other => panic!("{other:?} is no question"),
        }
    }

    pub(crate) fn paired(&self) -> Paired {
        match self.next() {
            Event::Paired(paired) => paired,
            other => panic!("{other:?} is no pairing"),
        }
    }

    pub(crate) fn refused(&self) -> (u64, Reason) {
        match self.next() {
            Event::Refused { token, reason } => (token, reason),
            other => panic!("{other:?} is no refusal"),
        }
    }

    pub(crate) fn hears_nothing(&self) {
        if let Some(event) = self.within(A_WHILE) {
            panic!("{event:?} was not to be said");
        }
    }

    pub(crate) fn release(&self, paired: &Paired) {
        self.client.release(paired.pairing.link, paired.pairing.slot, paired.pairing.side).unwrap();
    }

    /// Whether the broker closes this connection.
    pub(crate) fn lost(&self) -> bool {
        let started = Instant::now();
        loop {
            match self.client.receive() {
                Err(ControlError::Lost) => return true,
                Err(other) => panic!("{other}"),
                Ok(Some(_)) => {}
                Ok(None) if started.elapsed() > SOON => return false,
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// A broker and two processes; in the order in which they may go, the last one first.
pub(crate) struct Scene {
    pub(crate) dir: Dir,
    pub(crate) broker: Running,
    pub(crate) server: Guest,
    pub(crate) client: Guest,
}

impl Scene {
    pub(crate) fn new(name: &str) -> Self {
        let dir = Dir::new(name);
        let broker = Running::start(&dir);
        let (server, client) = (Guest::new(&dir), Guest::new(&dir));
        Self { dir, broker, server, client }
    }
}

/// Pairs one connection of two processes, the first with token 1 and the second with token 2.
pub(crate) fn pair(first: &Guest, first_end: &TcpStream, second: &Guest, second_end: &TcpStream) -> (Paired, Paired) {
    first.offer(1, first_end);
    second.offer(2, second_end);
    // Which of the two offers the broker sees first is not certain.
    let (mut one, mut other) = (None, None);
    while one.is_none() || other.is_none() {
        for (guest, end, place) in [(first, first_end, &mut one), (second, second_end, &mut other)] {
            match guest.within(Duration::from_millis(1)) {
                Some(Event::Confirm { token }) => guest.offer(token, end),
                Some(Event::Paired(paired)) => *place = Some(paired),
                Some(event) => panic!("{event:?}"),
                None => {}
            }
        }
    }
    (one.unwrap(), other.unwrap())
}

/// Both ends of an established connection.
pub(crate) fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// What `act` makes in a thread that is alone in what it changes about itself.
pub(crate) fn apart<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(act).join().unwrap()
}

/// A memory file that came with a pairing, for reading and writing at offsets.
pub(crate) fn file(descriptor: vmmc_protocol::Descriptor) -> File {
    OwnedFd::from(descriptor).into()
}

pub(crate) fn borrowed(fd: i32) -> BorrowedFd<'static> {
    // SAFETY: the tests keep the owners of what they lend in scope.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Waits until so many offers are pending.
pub(crate) fn await_pending(dir: &Dir, pending: u32) {
    await_status(dir, |status| status.pending == pending);
}

/// Waits until the broker is like that.
pub(crate) fn await_status(dir: &Dir, is_so: impl Fn(&Status) -> bool) {
    let started = Instant::now();
    loop {
        let status = Client::ping(&dir.runtime(), 1000).unwrap();
        if is_so(&status) {
            return;
        }
        assert!(started.elapsed() < SOON, "{status:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
