//! A channel is a sequenced-packet socket of the AF_UNIX family; its place is a directory that is this user's own.
pub use super::place::{PLACE_DEFAULT, PLACE_MAX, PLACE_OF_SYSTEM, check_place, is_place, session_place, system_place};

use super::descriptor::Descriptor;
use super::{place, process};
use crate::channel::{ATTACHED_MAX, Access, Attached, LISTENER, Peer, Ready, Received, Refusal};
use crate::endpoint::Socket;
use core::mem::MaybeUninit;
use core::time::Duration;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

/// The listener's name inside the place.
pub(super) const SOCKET: &str = "broker.sock";
/// Held locked by the listener for its life, so that there are never two.
const LOCK: &str = "broker.lock";
/// The socket under construction. No longer than the final name, which has to fit into an address.
const NEW_SOCKET: &str = "broker.new";
const _: () = assert!(NEW_SOCKET.len() <= SOCKET.len());
/// Connections that the kernel keeps waiting for the listener (it takes the smaller of this and `net.core.somaxconn`).
const BACKLOG: i32 = 4096;
/// The first of the descriptors that a manager of services hands over.
const HANDED_OVER_FIRST: i32 = 3;
/// Connections reported by one wait.
const EVENTS_MAX: usize = 256;

/// Whether no process can find another's memory files unless it is given them.
pub const HIDES_MEMORY: bool = false;
impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT | Errno::NOTDIR | Errno::CONNREFUSED => Self::Absent,
            // Too many descriptors of this user's are on their way: they arrive, and then there is room again.
            Errno::AGAIN | Errno::TOOMANYREFS | Errno::NOBUFS => Self::Busy,
            Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => Self::Lost,
            other => Self::System(other.raw_os_error()),
        }
    }
}

/// The one bell that this process wants rung for all its links. None on Linux: each link has bells of its own.
#[must_use]
pub fn bell_of_process() -> Option<i32> {
    None
}

/// What was attached to a message.
///
/// An object that this process had no room for is missing at the end, and so is one that was never sent: what a message
/// must have is the caller's to check.
#[derive(Debug, Default)]
pub struct Arrived([Option<Descriptor>; ATTACHED_MAX]);

impl Arrived {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().flatten().count()
    }

    /// As objects.
    #[must_use]
    pub fn into_objects(self) -> [Option<Descriptor>; ATTACHED_MAX] {
        self.0
    }

    /// As the one socket.
    #[must_use]
    pub fn into_socket(self) -> Option<Socket> {
        let [socket, ..] = self.0;
        socket.map(Socket::from)
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct Channel(Descriptor);

impl Channel {
    /// Connects to whoever listens at `place`, without waiting.
    ///
    /// # Errors
    /// `Absent`, `Untrusted`, `Busy`, or the kernel's.
    pub fn connect(place: &[u8]) -> Result<Self, Refusal> {
        check_place(place)?;
        let channel = Self(new_socket()?.into());
        rustix::net::connect(channel.fd(), &address(place, SOCKET)?)?;
        Ok(channel)
    }

    /// Sends one message; never blocks, never raises SIGPIPE.
    ///
    /// # Errors
    /// `Busy`: nothing was sent. `Lost`: the other end is gone. The kernel's.
    pub fn send(&self, bytes: &[u8], attached: Attached<'_>) -> Result<(), Refusal> {
        let one;
        let numbers = match attached {
            Attached::Nothing => &[][..],
            Attached::Objects(numbers) => numbers,
            Attached::Socket(number) => {
                one = [number];
                &one
            }
        };
        let mut fds = [borrow(0); ATTACHED_MAX];
        for (fd, number) in fds.iter_mut().zip(numbers) {
            *fd = borrow(*number);
        }
        let fds = fds.get(..numbers.len()).ok_or(Errno::INVAL)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(ATTACHED_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::INVAL.into());
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        loop {
            match rustix::net::sendmsg(self.fd(), &[IoSlice::new(bytes)], &mut control, flags) {
                Err(Errno::INTR) => {}
                Ok(sent) if sent == bytes.len() => return Ok(()),
                Ok(_) => return Err(Errno::IO.into()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes the next message, if there is one; never blocks. Descriptors arrive close-on-exec.
    ///
    /// # Errors
    /// The kernel's.
    pub fn receive<const SIZE: usize>(&self) -> Result<Received<SIZE>, Refusal> {
        let (mut buffer, mut beyond) = ([0; SIZE], [0; 1]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(ATTACHED_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let answer = loop {
            // One byte more than a message, so that a longer one shows.
            let mut places = [IoSliceMut::new(&mut buffer), IoSliceMut::new(&mut beyond)];
            match rustix::net::recvmsg(self.fd(), &mut places, &mut control, flags) {
                // The other end has gone with something of ours unread: what it had said before still comes, and then the end.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(Errno::AGAIN) => return Ok(Received::Nothing),
                Err(error) => return Err(error.into()),
                Ok(answer) => break answer,
            }
        };
        let mut arrived = Arrived::default();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                let mut places = arrived.0.iter_mut();
                for fd in fds {
                    let fd = Descriptor::from(fd);
                    if let Some(place) = places.next() {
                        *place = Some(fd);
                    }
                }
            }
        }
        Ok(match answer.bytes {
            0 => Received::End,
            bytes if bytes == SIZE && !answer.flags.contains(ReturnFlags::TRUNC) => Received::Message(buffer, arrived),
            _ => Received::Garbage,
        })
    }

    /// The descriptor, for waiting: readable when [`receive`](Self::receive) has something.
    #[must_use]
    pub fn waitable(&self) -> i32 {
        self.0.number()
    }

    /// Waits at most `limit` until [`receive`](Self::receive) has something: whether it has.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&self, limit: Duration) -> Result<bool, Refusal> {
        let mut fds = [PollFd::from_borrowed_fd(self.fd(), PollFlags::IN)];
        Ok(rustix::event::poll(&mut fds, Some(&timespec(limit)))? > 0)
    }

    /// Who opened the other end, for the end that listened.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        let mut raw = [0; 12];
        let len = super::kernel::getsockopt(self.waitable(), libc::SOL_SOCKET, libc::SO_PEERCRED, &mut raw).ok()?;
        let [pid0, pid1, pid2, pid3, user0, user1, user2, user3, ..] = raw;
        let (pid, user) = ([pid0, pid1, pid2, pid3], u32::from_ne_bytes([user0, user1, user2, user3]));
        // One number stands for all users that have none here: two of them may be two.
        let is_known = process::is_nobodys_number(user) == Some(false);
        (len == raw.len()).then(|| Peer { pid: u32::from_ne_bytes(pid), user: is_known.then_some(user) })
    }

    /// Gives up the descriptor without closing it.
    #[must_use]
    pub fn into_raw(self) -> i32 {
        self.0.into_raw()
    }

    /// The channel whose descriptor `number` is, by [`into_raw`](Self::into_raw) or a duplicate; it is owned from now on.
    #[must_use]
    pub fn from_raw(number: i32) -> Self {
        Self(Descriptor::new(number))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        borrow(self.0.number())
    }
}

/// The one who listens at a place.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    /// The socket's file and the lock that keeps a second listener away; none where the system's manager looks after both.
    seat: Option<(SocketAddrUnix, OwnedFd)>,
    /// Given up for a moment when there is no other descriptor left.
    spare: Option<OwnedFd>,
}

impl Listener {
    /// Makes the place if need be, and listens there; what a dead listener left is replaced.
    ///
    /// # Errors
    /// `AddrInUse` if somebody listens; `PermissionDenied` if others can write the directory; the kernel's.
    pub fn take(at: &[u8], access: Access) -> std::io::Result<Self> {
        use std::io::{Error, ErrorKind};
        if !is_place(at) {
            return Err(Error::new(ErrorKind::InvalidInput, "the runtime directory's path is relative or too long"));
        }
        place::make(at, access)?;
        check_place(at).map_err(|error| Error::new(ErrorKind::PermissionDenied, error))?;
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = rustix::fs::open([at, b"/", LOCK.as_bytes()].concat(), flags, Mode::RUSR | Mode::WUSR)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => Error::new(ErrorKind::AddrInUse, "a broker is running already"),
            other => other.into(),
        })?;
        let (temporary, address) = (self::address(at, NEW_SOCKET)?, self::address(at, SOCKET)?);
        let socket = listen_at(&address, &temporary, access)?;
        Ok(Self { socket, seat: Some((address, lock)), spare: spare() })
    }

    /// The socket that a manager of services listens at for this process and has handed it (systemd's `LISTEN_FDS`); `None`
    /// if it has not. At most once in a process.
    ///
    /// # Errors
    /// If what it handed over is no socket of this kind.
    pub fn handed_over() -> std::io::Result<Option<Self>> {
        use std::io::{Error, ErrorKind};
        let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
        if number("LISTEN_PID") != Some(process::id()) {
            return Ok(None);
        }
        let socket = Descriptor::new(HANDED_OVER_FIRST);
        let kind = rustix::net::sockopt::socket_type(borrow(HANDED_OVER_FIRST));
        let listens = rustix::net::sockopt::socket_acceptconn(borrow(HANDED_OVER_FIRST));
        if number("LISTEN_FDS") != Some(1) || kind != Ok(SocketType::SEQPACKET) || listens != Ok(true) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "what LISTEN_FDS promises is not one sequenced-packet socket",
            ));
        }
        rustix::io::fcntl_setfd(borrow(HANDED_OVER_FIRST), rustix::io::FdFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(borrow(HANDED_OVER_FIRST), true)?;
        Ok(Some(Self { socket: socket.into(), seat: None, spare: spare() }))
    }

    /// The next process that wants to connect, if there is one.
    pub fn accept(&mut self) -> Option<Channel> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match rustix::net::accept_with(&self.socket, flags) {
            Ok(socket) => Some(Channel(socket.into())),
            Err(Errno::MFILE | Errno::NFILE) => {
                // Turn one away, or it would stay at the head of the queue and keep the loop awake.
                self.spare = None;
                drop(rustix::net::accept_with(&self.socket, flags));
                self.spare = spare();
                None
            }
            Err(_) => None,
        }
    }
}

impl Drop for Listener {
    /// While the lock is still held, so that it is never a successor's socket.
    fn drop(&mut self) {
        if let Some(path) = self.seat.as_ref().and_then(|(address, _)| address.path()) {
            let _ = rustix::fs::unlink(&*path);
        }
    }
}

/// A wait for a listener and many channels.
#[derive(Debug)]
pub struct Waiter(OwnedFd);

impl Waiter {
    /// A wait for `listener` alone, under the key [`LISTENER`].
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(listener: &mut Listener) -> std::io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener.socket, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self(epoll))
    }

    /// Waits for what `channel` brings, too.
    ///
    /// # Errors
    /// The kernel's.
    pub fn add(&mut self, channel: &Channel, key: u64) -> Result<(), Refusal> {
        Ok(epoll::add(&self.0, channel.fd(), EventData::new_u64(key), EventFlags::IN)?)
    }

    /// Waits for it no more; before it is dropped.
    pub fn remove(&mut self, channel: &Channel, _key: u64) {
        let _ = epoll::delete(&self.0, channel.fd());
    }

    /// Whether `channel` is also waited for until it has room for a message.
    ///
    /// # Errors
    /// The kernel's.
    pub fn want_room(&mut self, channel: &Channel, key: u64, wanted: bool) -> Result<(), Refusal> {
        let flags = if wanted { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        Ok(epoll::modify(&self.0, channel.fd(), EventData::new_u64(key), flags)?)
    }

    /// Waits at most `limit` (`None`: without end): who has something.
    ///
    /// # Errors
    /// Only if waiting itself is impossible.
    pub fn wait(&mut self, limit: Option<Duration>) -> std::io::Result<Vec<Ready>> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
        match epoll::wait(&self.0, spare_capacity(&mut events), limit.map(timespec).as_ref()) {
            Err(Errno::INTR) => {}
            result => drop(result?),
        }
        let ready = |Event { data, flags }| Ready { key: data.u64(), has_room: flags.contains(EventFlags::OUT) };
        Ok(events.into_iter().map(ready).collect())
    }
}

fn new_socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// The address of `name` in the place; it has no more bytes than an address has room for.
fn address(place: &[u8], name: &str) -> rustix::io::Result<SocketAddrUnix> {
    let mut path = [0; 108];
    let mut rest = path.iter_mut();
    for byte in [place, b"/", name.as_bytes()].into_iter().flatten() {
        *rest.next().ok_or(Errno::NAMETOOLONG)? = *byte;
    }
    SocketAddrUnix::new(core::ffi::CStr::from_bytes_until_nul(&path).map_err(|_| Errno::NAMETOOLONG)?)
}

/// A socket that listens before it appears at `address`: nobody ever finds one there that refuses.
fn listen_at(address: &SocketAddrUnix, temporary: &SocketAddrUnix, access: Access) -> std::io::Result<OwnedFd> {
    let (Some(path), Some(new)) = (address.path(), temporary.path()) else { return Err(Errno::INVAL.into()) };
    match rustix::fs::unlink(&*new) {
        Err(Errno::NOENT) | Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    let socket = new_socket()?;
    rustix::net::bind(&socket, temporary)?;
    let others = if access == Access::Everyone { Mode::from_raw_mode(0o066) } else { Mode::empty() };
    rustix::fs::chmod(&*new, Mode::RUSR | Mode::WUSR | others)?;
    rustix::net::listen(&socket, BACKLOG)?;
    rustix::fs::rename(&*new, &*path)?;
    Ok(socket)
}

fn spare() -> Option<OwnedFd> {
    rustix::fs::open("/dev/null", OFlags::CLOEXEC, Mode::empty()).ok()
}

fn timespec(time: Duration) -> Timespec {
    let tv_sec = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: time.subsec_nanos().into() }
}

/// Lends `number` to a kernel call. A number that is not open makes that call fail with `EBADF` and nothing else.
fn borrow<'fd>(number: i32) -> BorrowedFd<'fd> {
    // SAFETY: -1 is the one number that `BorrowedFd` may not hold, and it is replaced by another that is never open. The
    // callers in this file use the result for one system call at once and close nothing meanwhile.
    unsafe { BorrowedFd::borrow_raw(if number < 0 { i32::MAX } else { number }) }
}
