//! Socket calls of the system's own WinSock, under the names that Linux has for them.
//!
//! `MSG_DONTWAIT` is honoured on sockets of either mode, which must have been made overlapped (the default).
use super::overlapped::at_once;
use super::{PollFd, abi, handle, last_error, winsock};
use crate::Errno;
use core::ffi::c_void;
use core::ptr::{null, null_mut};
use core::time::Duration;
use std::io::{IoSlice, IoSliceMut};
use windows_sys::Win32::Foundation::CloseHandle;
use windows_sys::Win32::Networking::WinSock::{
    SO_RCVTIMEO, SO_SNDTIMEO, SOCKET, TIMEVAL, WSABUF, WSAEINVAL, WSAEOPNOTSUPP, WSAPOLLFD,
};
use windows_sys::Win32::System::Threading::INFINITE;

/// The outcome of a call: what it yields, or the system's error.
pub type Result<T> = core::result::Result<T, Errno>;

/// Whether [`tcp_counts`] can work here. WinSock tells nobody how many bytes a connection has carried.
pub const HAS_TCP_COUNTS: bool = false;

/// What a poll that does not wait costs, about, in microseconds. Measured under Wine.
pub const POLL_MICROS: u32 = 17;

/// Whether the connections of a process that ends, however it does, are closed by the kernel at once. Wine keeps a socket
/// open on which a process was receiving when it was killed.
pub const CLOSES_FOR_THE_DEAD: bool = false;

/// Flags of ours that the system's WinSock does not know.
const OURS: i32 = abi::MSG_DONTWAIT | abi::MSG_NOSIGNAL | abi::MSG_TRUNC;
/// Entries of a poll that need no allocation.
const FEW: usize = 64;

fn socket(fd: i32) -> SOCKET {
    handle(fd).addr()
}

/// The result of a call that returns -1 for a failure.
fn outcome(result: i32) -> Result<usize> {
    usize::try_from(result).map_err(|_| last_error())
}

/// A length as WinSock has it: more is taken in several calls.
fn length(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

/// A time in whole milliseconds, rounded up, as the waiting calls want it.
pub(super) fn milliseconds(timeout: Option<Duration>) -> u32 {
    let whole = |time: Duration| u32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(INFINITE - 1);
    timeout.map_or(INFINITE, |time| whole(time).min(INFINITE - 1))
}

/// recv.
pub fn recv(fd: i32, buf: &mut [u8], flags: i32) -> Result<usize> {
    match (flags & abi::MSG_DONTWAIT != 0, flags & abi::MSG_PEEK != 0) {
        (true, true) if !is_readable(fd)? => Err(Errno(abi::EAGAIN)),
        (true, false) => recv_slices(fd, &mut [IoSliceMut::new(buf)], flags),
        // SAFETY: the call writes at most the length into the exclusive slice.
        _ => outcome(unsafe { winsock::recv(socket(fd), buf.as_mut_ptr(), length(buf.len()), flags & !OURS) }),
    }
}

/// send.
pub fn send(fd: i32, buf: &[u8], flags: i32) -> Result<usize> {
    if flags & abi::MSG_DONTWAIT != 0 {
        return send_slices(fd, &[IoSlice::new(buf)], flags);
    }
    // SAFETY: the call reads at most the length of the slice.
    outcome(unsafe { winsock::send(socket(fd), buf.as_ptr(), length(buf.len()), flags & !OURS) })
}

/// WSASend of slices, none longer than 4 GiB.
pub fn send_slices(fd: i32, bufs: &[IoSlice<'_>], flags: i32) -> Result<usize> {
    // An IoSlice has WSABUF's layout.
    let (list, count) = (bufs.as_ptr().cast::<WSABUF>(), bufs.len() as u32);
    let system = (flags & !OURS) as u32;
    // SAFETY: the buffers and their list live until the call, or its cancelling, is over.
    let call =
        |overlapped, done| unsafe { winsock::wsa_send(socket(fd), list, count, done, system, overlapped, null()) };
    by_mode(fd, flags, call)
}

/// WSARecv into slices, none longer than 4 GiB.
pub fn recv_slices(fd: i32, bufs: &mut [IoSliceMut<'_>], flags: i32) -> Result<usize> {
    if flags & abi::MSG_DONTWAIT != 0 && flags & abi::MSG_PEEK != 0 {
        // Overlapped calls can't peek.
        if !is_readable(fd)? {
            return Err(Errno(abi::EAGAIN));
        }
        return recv_slices(fd, bufs, flags & !abi::MSG_DONTWAIT);
    }
    // An IoSliceMut has WSABUF's layout.
    let (list, count) = (bufs.as_mut_ptr().cast::<WSABUF>(), bufs.len() as u32);
    let mut system = (flags & !OURS) as u32;
    let system = &raw mut system;
    // SAFETY: the buffers are exclusive, and they and their list live until the call, or its cancelling, is over.
    let call =
        |overlapped, done| unsafe { winsock::wsa_recv(socket(fd), list, count, done, system, overlapped, null()) };
    by_mode(fd, flags, call)
}

/// Makes a call in the socket's own mode, or without waiting if the flags say so.
fn by_mode(
    fd: i32,
    flags: i32,
    call: impl FnOnce(*mut windows_sys::Win32::System::IO::OVERLAPPED, *mut u32) -> i32,
) -> Result<usize> {
    if flags & abi::MSG_DONTWAIT != 0 {
        return at_once(socket(fd), call);
    }
    let mut done = 0u32;
    outcome(call(null_mut(), &raw mut done)).map(|_| done as usize)
}

/// Whether a receive would return at once: with bytes, the end of the stream, or an error.
fn is_readable(fd: i32) -> Result<bool> {
    if ioctl_int(fd, abi::FIONREAD)? > 0 {
        return Ok(true);
    }
    let mut fds = [PollFd { fd, events: abi::POLLIN, revents: 0 }];
    select(&mut fds, Some(Duration::ZERO), None).map(|found| found > 0)
}

/// Closes a handle of our own that is no socket.
pub fn close(fd: i32) -> Result<usize> {
    // SAFETY: no memory is involved; the caller owns the handle.
    if unsafe { CloseHandle(handle(fd)) } == 0 { Err(last_error()) } else { Ok(0) }
}

/// shutdown.
pub fn shutdown(fd: i32, how: i32) -> Result<usize> {
    // SAFETY: no memory is involved.
    outcome(unsafe { winsock::shutdown(socket(fd), how) })
}

/// ioctlsocket that yields one number (`FIONREAD`, `SIOCATMARK`).
pub fn ioctl_int(fd: i32, request: u64) -> Result<i32> {
    let mut value = 0u32;
    // SAFETY: these requests write one word.
    outcome(unsafe { winsock::ioctlsocket(socket(fd), request as i32, &raw mut value) })?;
    Ok(i32::try_from(value).unwrap_or(i32::MAX))
}

/// setsockopt, by WinSock 2's numbers.
pub fn setsockopt(fd: i32, level: i32, name: i32, value: &[u8]) -> Result<usize> {
    // SAFETY: the call reads the slice.
    outcome(unsafe { winsock::setsockopt(socket(fd), level, name, value.as_ptr(), length(value.len())) })
}

/// getsockopt, by WinSock 2's numbers: how many bytes were put into `value`.
pub fn getsockopt(fd: i32, level: i32, name: i32, value: &mut [u8]) -> Result<usize> {
    let mut len = length(value.len());
    // SAFETY: the call writes at most `len` bytes into the exclusive slice, and the length.
    outcome(unsafe { winsock::getsockopt(socket(fd), level, name, value.as_mut_ptr(), &raw mut len) })?;
    Ok(len.unsigned_abs() as usize)
}

/// How long a call on a blocking socket may wait to send (`sending`) or to receive; `None`: for ever.
#[must_use]
pub fn time_limit(fd: i32, sending: bool) -> Option<Duration> {
    let mut millis = [0u8; 4];
    let name = if sending { SO_SNDTIMEO } else { SO_RCVTIMEO };
    getsockopt(fd, abi::SOL_SOCKET, name, &mut millis).ok()?;
    let limit = Duration::from_millis(u64::from(u32::from_ne_bytes(millis)));
    (!limit.is_zero()).then_some(limit)
}

/// getsockname (`peer` false) or getpeername: the raw address and its length.
pub fn address(fd: i32, peer: bool, raw: &mut [u8; 28]) -> Result<usize> {
    let mut len = 28i32;
    // SAFETY: the call writes at most 28 bytes, and the length.
    outcome(unsafe {
        if peer {
            winsock::getpeername(socket(fd), raw.as_mut_ptr(), &raw mut len)
        } else {
            winsock::getsockname(socket(fd), raw.as_mut_ptr(), &raw mut len)
        }
    })?;
    Ok(len.unsigned_abs() as usize)
}

/// WSAPoll: how many sockets have events. `timeout` `None` waits for ever. There is no signal mask here.
pub fn poll(fds: &mut [PollFd], timeout: Option<Duration>, _sigmask: Option<u64>) -> Result<usize> {
    const ASKED: i16 = abi::POLLIN | abi::POLLOUT;
    let system = |entry: &PollFd| WSAPOLLFD { fd: socket(entry.fd), events: entry.events & ASKED, revents: 0 };
    let mut few = [WSAPOLLFD { fd: 0, events: 0, revents: 0 }; FEW];
    let mut many = Vec::new();
    let list = if let Some(list) = few.get_mut(..fds.len()) {
        for (place, entry) in list.iter_mut().zip(fds.iter()) {
            *place = system(entry);
        }
        list
    } else {
        many.extend(fds.iter().map(system));
        many.as_mut_slice()
    };
    let limit = timeout.map_or(-1, |_| i32::try_from(milliseconds(timeout)).unwrap_or(i32::MAX));
    // SAFETY: the list is exclusive and lives until the call returns.
    let found = outcome(unsafe { winsock::wsa_poll(list.as_mut_ptr(), list.len() as u32, limit) })?;
    for (entry, place) in fds.iter_mut().zip(list.iter()) {
        entry.revents = place.revents;
    }
    Ok(found)
}

/// What a poll reports of one socket now, without waiting; 0 if the call fails. `POLLRDHUP`: nothing is left to be read,
/// and nothing will come; an end behind unread bytes is not seen.
pub fn events_now(fd: i32, events: i16) -> i16 {
    let asks_end = events & abi::POLLRDHUP != 0;
    let asked = events & !abi::POLLRDHUP | if asks_end { abi::POLLRDNORM } else { 0 };
    let mut fds = [PollFd { fd, events: asked, revents: 0 }];
    let _ = poll(&mut fds, Some(Duration::ZERO), None);
    let found = fds[0].revents;
    let always = abi::POLLERR | abi::POLLHUP | abi::POLLNVAL;
    let over = found & (abi::POLLERR | abi::POLLHUP) != 0
        || found & abi::POLLRDNORM != 0 && ioctl_int(fd, abi::FIONREAD).map_or(true, |unread| unread == 0);
    found & (events | always) | if asks_end && over { abi::POLLRDHUP } else { 0 }
}

/// One of select's sets: a count and so many sockets.
struct Set {
    few: [usize; FEW + 1],
    many: Vec<usize>,
}

impl Set {
    /// The sockets among `fds` that ask for one of `events`.
    fn of(fds: &[PollFd], events: i16) -> Self {
        let mut set = Self { few: [0; FEW + 1], many: Vec::new() };
        if fds.len() > FEW {
            set.many.resize(fds.len() + 1, 0);
        }
        let words = set.words_mut();
        let mut count = 0;
        for entry in fds.iter().filter(|entry| entry.events & events != 0) {
            count += 1;
            if let Some(place) = words.get_mut(count) {
                *place = socket(entry.fd);
            }
        }
        // The count is 32 bits wide, at the start of the first word.
        words[0] = count;
        set
    }

    fn words(&self) -> &[usize] {
        if self.many.is_empty() { &self.few } else { &self.many }
    }

    fn words_mut(&mut self) -> &mut [usize] {
        if self.many.is_empty() { &mut self.few } else { &mut self.many }
    }

    fn is_empty(&self) -> bool {
        self.words()[0] as u32 == 0
    }

    /// Null if it is empty: WinSock refuses sets without sockets only where all three are.
    fn pointer(&mut self) -> *mut c_void {
        if self.is_empty() { null_mut() } else { self.words_mut().as_mut_ptr().cast() }
    }

    fn holds(&self, fd: i32) -> bool {
        let (count, sockets) = (self.words()[0] as u32 as usize, self.words().get(1..).unwrap_or_default());
        sockets.get(..count).is_some_and(|sockets| sockets.contains(&socket(fd)))
    }
}

/// select on a list: `POLLIN` is its first set, `POLLOUT` its second, `POLLPRI` its third. How many entries have events.
/// `timeout` `None` waits for ever. There is no signal mask here.
pub fn select(fds: &mut [PollFd], timeout: Option<Duration>, _sigmask: Option<u64>) -> Result<usize> {
    let bits = [abi::POLLIN, abi::POLLOUT, abi::POLLPRI];
    let [mut read, mut write, mut except] = bits.map(|events| Set::of(fds, events));
    if read.is_empty() && write.is_empty() && except.is_empty() {
        return Err(Errno(WSAEINVAL));
    }
    let limit = timeout.map(|time| TIMEVAL {
        tv_sec: i32::try_from(time.as_secs()).unwrap_or(i32::MAX),
        tv_usec: time.subsec_nanos().div_ceil(1000).min(999_999) as i32,
    });
    let limit = limit.as_ref().map_or(null(), |limit| core::ptr::from_ref(limit).cast());
    // SAFETY: each set holds as many sockets as its count says, and they and the time live until the call returns.
    outcome(unsafe { winsock::select(0, read.pointer(), write.pointer(), except.pointer(), limit) })?;
    for entry in fds.iter_mut() {
        entry.revents = 0;
        for (set, bits) in [(&read, bits[0]), (&write, bits[1]), (&except, bits[2])] {
            if entry.events & bits != 0 && set.holds(entry.fd) {
                entry.revents |= entry.events & bits;
            }
        }
    }
    Ok(fds.iter().filter(|entry| entry.revents != 0).count())
}

/// A `struct linger` that makes close a reset: on, and no time.
const ABORT: [u8; 4] = [1, 0, 0, 0];

/// The close that follows resets the connection.
pub fn close_with_reset(fd: i32) {
    let _ = setsockopt(fd, abi::SOL_SOCKET, abi::SO_LINGER, &ABORT);
}

/// Whether the program wants its close to be a reset.
pub fn closes_with_reset(fd: i32) -> bool {
    let mut linger = [0u8; 4];
    getsockopt(fd, abi::SOL_SOCKET, abi::SO_LINGER, &mut linger).is_ok() && linger == ABORT
}

/// Ends a connection that can't go on, for both ends: nothing more passes, and the program's close resets it. (WinSock
/// resets a connection in no other way than by closing it, and the handle is the program's.)
pub fn disconnect(fd: i32) {
    close_with_reset(fd);
    let _ = shutdown(fd, windows_sys::Win32::Networking::WinSock::SD_BOTH);
}

/// The kernel's counts of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpCounts {
    /// 1 is ESTABLISHED.
    pub state: u8,
    /// Bytes that the peer has acknowledged.
    pub acked: u64,
    /// Bytes that have arrived.
    pub received: u64,
}

/// Never: see [`HAS_TCP_COUNTS`].
pub fn tcp_counts(_fd: i32) -> Result<TcpCounts> {
    Err(Errno(WSAEOPNOTSUPP))
}

/// Whether `fd` is a TCP socket, whoever made it. Never asked: a listener of another process's (`WSADuplicateSocket`) is left
/// alone, and so is what it accepts.
#[must_use]
pub fn is_tcp(_fd: i32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::os::windows::io::AsRawSocket as _;

    /// Two ends of a connection, and the number of the second.
    fn ends() -> (TcpStream, TcpStream, i32) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let there = listener.accept().unwrap().0;
        let fd = there.as_raw_socket() as i32;
        (here, there, fd)
    }

    /// Sends, and waits until it has arrived.
    fn deliver(here: &mut TcpStream, bytes: &[u8], fd: i32) {
        here.write_all(bytes).unwrap();
        let mut fds = [PollFd { fd, events: abi::POLLIN, revents: 0 }];
        assert_eq!(poll(&mut fds, Some(Duration::from_secs(20)), None), Ok(1));
    }

    #[test]
    fn a_receive_that_may_not_wait_takes_what_is_there_and_leaves_what_comes_later() {
        let (mut here, _there, fd) = ends();
        let mut room = [0; 8];
        for flags in [abi::MSG_DONTWAIT, abi::MSG_DONTWAIT | abi::MSG_PEEK] {
            assert_eq!(recv(fd, &mut room, flags), Err(Errno(abi::EAGAIN)));
        }
        deliver(&mut here, b"later", fd);
        assert_eq!(recv(fd, &mut room, abi::MSG_DONTWAIT | abi::MSG_PEEK), Ok(5));
        assert_eq!(recv(fd, &mut room, abi::MSG_DONTWAIT), Ok(5));
        assert_eq!(&room[..5], b"later");
    }

    #[test]
    fn a_blocking_socket_blocks_after_calls_that_did_not_wait() {
        let (mut here, _there, fd) = ends();
        assert_eq!(recv(fd, &mut [0; 8], abi::MSG_DONTWAIT), Err(Errno(abi::EAGAIN)));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                here.write_all(b"x").unwrap();
            });
            assert_eq!(recv(fd, &mut [0; 8], 0), Ok(1));
        });
    }

    #[test]
    fn a_full_connection_refuses_a_send_that_may_not_wait() {
        let (_here, _there, fd) = ends();
        let piece = vec![7; 64 * 1024];
        let refused = (0..10_000).find_map(|_| send(fd, &piece, abi::MSG_DONTWAIT).err());
        assert_eq!(refused, Some(Errno(abi::EAGAIN)));
    }

    #[test]
    fn the_end_is_seen_once_nothing_is_left_to_be_read() {
        let (mut here, _there, fd) = ends();
        assert_eq!(events_now(fd, abi::POLLRDHUP), 0);
        deliver(&mut here, b"last", fd);
        drop(here);
        assert_eq!(recv(fd, &mut [0; 8], 0), Ok(4));
        assert_eq!(recv(fd, &mut [0; 8], 0), Ok(0));
        assert_ne!(events_now(fd, abi::POLLRDHUP) & abi::POLLRDHUP, 0);
    }

    #[test]
    fn select_reports_the_sets_that_were_asked_of_more_sockets_than_a_set_has_room_for() {
        let (mut here, _there, fd) = ends();
        let others: Vec<_> = (0..FEW).map(|_| ends()).collect();
        let entry = |fd, events| PollFd { fd, events, revents: 0 };
        let mut fds: Vec<_> = others.iter().map(|(_, _, fd)| entry(*fd, abi::POLLIN)).collect();
        fds.extend([entry(fd, abi::POLLIN), entry(fd, abi::POLLOUT), entry(fd, abi::POLLPRI)]);
        deliver(&mut here, b"x", fd);
        assert_eq!(select(&mut fds, Some(Duration::ZERO), None), Ok(2));
        let found: Vec<i16> = fds.split_off(FEW).iter().map(|entry| entry.revents).collect();
        assert_eq!(found, [abi::POLLIN, abi::POLLOUT, 0]);
        assert_eq!(select(&mut [], None, None), Err(Errno(WSAEINVAL)));
    }
}
