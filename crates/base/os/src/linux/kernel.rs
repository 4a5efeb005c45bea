//! Raw system calls. Named as their manual pages; every one returns the kernel's own error.
use crate::Errno;
use core::arch::asm;

/// The outcome of a raw call: the kernel's non-negative result, or its error.
pub type Result<T> = core::result::Result<T, Errno>;

/// Makes system call `number`.
///
/// # Safety
/// As the call's manual page demands of its arguments.
#[inline]
pub unsafe fn syscall6(number: i64, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> Result<usize> {
    let result: isize;
    // SAFETY: the x86-64 kernel ABI; rcx and r11 are declared clobbered; what the call does to memory is the caller's promise.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    if (-4095..0).contains(&result) { Err(Errno((-result) as i32)) } else { Ok(result as usize) }
}

macro_rules! call {
    ($number:ident $(, $argument:expr)*) => { call!(@ $number; $($argument as usize,)* ; 0, 0, 0, 0, 0, 0,) };
    (@ $number:ident; ; $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr,) => { syscall6(libc::$number, $a, $b, $c, $d, $e, $f) };
    (@ $number:ident; $a:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, 0, 0, 0, 0, 0) };
    (@ $number:ident; $a:expr, $b:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, $b, 0, 0, 0, 0) };
    (@ $number:ident; $a:expr, $b:expr, $c:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, $b, $c, 0, 0, 0) };
    (@ $number:ident; $a:expr, $b:expr, $c:expr, $d:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, $b, $c, $d, 0, 0) };
    (@ $number:ident; $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, $b, $c, $d, $e, 0) };
    (@ $number:ident; $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr, ; $($z:expr,)*) => {
        syscall6(libc::$number, $a, $b, $c, $d, $e, $f)
    };
}
pub(crate) use call;

pub use super::select::select;

/// recv(2).
pub fn recv(fd: i32, buf: &mut [u8], flags: i32) -> Result<usize> {
    // SAFETY: the kernel writes at most `buf.len()` bytes into the exclusive slice.
    unsafe { call!(SYS_recvfrom, fd, buf.as_mut_ptr(), buf.len(), flags, 0, 0) }
}
/// send(2).
pub fn send(fd: i32, buf: &[u8], flags: i32) -> Result<usize> {
    // SAFETY: the kernel reads `buf.len()` bytes of the slice.
    unsafe { call!(SYS_sendto, fd, buf.as_ptr(), buf.len(), flags, 0, 0) }
}
/// close(2).
pub fn close(fd: i32) -> Result<usize> {
    // SAFETY: no memory is involved; the caller owns the descriptor.
    unsafe { call!(SYS_close, fd) }
}
/// sendmsg(2) of slices, without address or control data.
pub fn send_slices(fd: i32, bufs: &[std::io::IoSlice<'_>], flags: i32) -> Result<usize> {
    // SAFETY: an all-zero msghdr is a valid empty one.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    message.msg_iov = bufs.as_ptr() as *mut libc::iovec;
    message.msg_iovlen = bufs.len();
    // SAFETY: IoSlice is ABI-compatible with iovec; the kernel reads the slices that it describes.
    unsafe { call!(SYS_sendmsg, fd, &raw const message, flags) }
}
/// recvmsg(2) into slices, without address or control data.
pub fn recv_slices(fd: i32, bufs: &mut [std::io::IoSliceMut<'_>], flags: i32) -> Result<usize> {
    // SAFETY: an all-zero msghdr is a valid empty one.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    message.msg_iov = bufs.as_mut_ptr().cast();
    message.msg_iovlen = bufs.len();
    // SAFETY: IoSliceMut is ABI-compatible with iovec; the kernel writes the exclusive slices that it describes.
    unsafe { call!(SYS_recvmsg, fd, &raw mut message, flags) }
}
/// read(2).
pub fn read(fd: i32, buf: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `buf.len()` bytes into the exclusive slice.
    unsafe { call!(SYS_read, fd, buf.as_mut_ptr(), buf.len()) }
}
/// write(2).
pub fn write(fd: i32, buf: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads the slice.
    unsafe { call!(SYS_write, fd, buf.as_ptr(), buf.len()) }
}
/// pread64(2).
pub fn pread(fd: i32, buf: &mut [u8], offset: i64) -> Result<usize> {
    // SAFETY: the kernel writes at most `buf.len()` bytes into the exclusive slice.
    unsafe { call!(SYS_pread64, fd, buf.as_mut_ptr(), buf.len(), offset) }
}
/// lseek(2) relative to the present position.
pub fn seek_by(fd: i32, by: i64) -> Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { call!(SYS_lseek, fd, by, libc::SEEK_CUR) }
}
/// shutdown(2).
pub fn shutdown(fd: i32, how: i32) -> Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { call!(SYS_shutdown, fd, how) }
}
/// fcntl(2) with an integer argument.
pub fn fcntl(fd: i32, command: i32, argument: usize) -> Result<usize> {
    // SAFETY: callers pass commands whose argument is a number; no memory is involved.
    unsafe { call!(SYS_fcntl, fd, command, argument) }
}
/// fcntl(2) F_SETLK: this process locks one byte of a file, until it ends or closes a descriptor of that file.
pub fn lock_byte(fd: i32, at: usize) -> Result<usize> {
    let mut lock = byte_lock(at);
    // SAFETY: the kernel reads the structure.
    unsafe { call!(SYS_fcntl, fd, libc::F_SETLK, &raw mut lock) }
}
/// fcntl(2) F_GETLK: whether another process has the byte locked.
pub fn is_byte_locked(fd: i32, at: usize) -> Result<bool> {
    let mut lock = byte_lock(at);
    // SAFETY: the kernel reads and writes the structure.
    unsafe { call!(SYS_fcntl, fd, libc::F_GETLK, &raw mut lock) }?;
    Ok(lock.l_type != libc::F_UNLCK as i16)
}
fn byte_lock(at: usize) -> libc::flock {
    let (l_type, l_whence) = (libc::F_WRLCK as i16, libc::SEEK_SET as i16);
    libc::flock { l_type, l_whence, l_start: at as i64, l_len: 1, l_pid: 0 }
}
/// ioctl(2) that yields one int (`FIONREAD`/`SIOCINQ`, `SIOCOUTQ`, `SIOCATMARK`).
pub fn ioctl_int(fd: i32, request: u64) -> Result<i32> {
    let mut value = 0i32;
    // SAFETY: these requests write one int.
    unsafe { call!(SYS_ioctl, fd, request, &raw mut value) }?;
    Ok(value)
}
/// setsockopt(2).
pub fn setsockopt(fd: i32, level: i32, name: i32, value: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads the slice.
    unsafe { call!(SYS_setsockopt, fd, level, name, value.as_ptr(), value.len()) }
}
/// getsockopt(2): how many bytes the kernel put into `value`.
pub fn getsockopt(fd: i32, level: i32, name: i32, value: &mut [u8]) -> Result<usize> {
    let mut len = u32::try_from(value.len()).unwrap_or(0);
    // SAFETY: the kernel writes at most `len` bytes into the exclusive slice and the length.
    unsafe { call!(SYS_getsockopt, fd, level, name, value.as_mut_ptr(), &raw mut len) }?;
    Ok(len as usize)
}
/// How long a call on a blocking socket may wait to send (`sending`) or to receive; `None`: for ever.
#[must_use]
pub fn time_limit(fd: i32, sending: bool) -> Option<core::time::Duration> {
    let mut limit = [0u8; 16];
    let name = if sending { libc::SO_SNDTIMEO } else { libc::SO_RCVTIMEO };
    getsockopt(fd, libc::SOL_SOCKET, name, &mut limit).ok()?;
    let [seconds, micros] = [limit.first_chunk()?, limit.last_chunk()?].map(|word| u64::from_ne_bytes(*word));
    let limit = core::time::Duration::from_secs(seconds).saturating_add(core::time::Duration::from_micros(micros));
    (!limit.is_zero()).then_some(limit)
}
/// getsockname(2) (`peer` false) or getpeername(2): the raw address and its length.
pub fn address(fd: i32, peer: bool, raw: &mut [u8; 28]) -> Result<usize> {
    let mut len = 28u32;
    // SAFETY: the kernel writes at most 28 bytes and the length.
    unsafe {
        if peer {
            call!(SYS_getpeername, fd, raw.as_mut_ptr(), &raw mut len)
        } else {
            call!(SYS_getsockname, fd, raw.as_mut_ptr(), &raw mut len)
        }
    }?;
    Ok(len as usize)
}
pub(super) fn timespec(time: core::time::Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}
/// ppoll(2): how many descriptors have events. `timeout` `None` waits for ever.
pub fn poll(fds: &mut [libc::pollfd], timeout: Option<core::time::Duration>, sigmask: Option<u64>) -> Result<usize> {
    let mut limit = timeout.map(timespec);
    let limit = limit.as_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
    let mask = sigmask.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the slice, the time and the mask live until the call returns; 8 is the size of the kernel's signal set.
    unsafe { call!(SYS_ppoll, fds.as_mut_ptr(), fds.len(), limit, mask, 8) }
}
/// What ppoll(2) reports of one descriptor now, without waiting; 0 if the call fails.
pub fn events_now(fd: i32, events: i16) -> i16 {
    let mut fds = [libc::pollfd { fd, events, revents: 0 }];
    let _ = poll(&mut fds, Some(core::time::Duration::ZERO), None);
    fds[0].revents
}
/// epoll_pwait2(2), or epoll_pwait(2) where the kernel has not got it (then in milliseconds, rounded up).
pub fn epoll_wait(
    epfd: i32,
    events: &mut [libc::epoll_event],
    timeout: Option<core::time::Duration>,
    sigmask: Option<u64>,
) -> Result<usize> {
    let mask = sigmask.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    let simple = match timeout {
        None => Some(-1i64),
        Some(time) if time.subsec_nanos() % 1_000_000 == 0 => {
            i64::try_from(time.as_millis()).ok().filter(|ms| *ms <= i64::from(i32::MAX))
        }
        Some(_) => None,
    };
    if let Some(milliseconds) = simple {
        // SAFETY: the kernel writes at most `events.len()` entries of the exclusive slice.
        return unsafe { call!(SYS_epoll_pwait, epfd, events.as_mut_ptr(), events.len(), milliseconds, mask, 8) };
    }
    let mut limit = timeout.map(timespec);
    let limit = limit.as_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
    // SAFETY: as above; the time lives until the call returns.
    match unsafe { call!(SYS_epoll_pwait2, epfd, events.as_mut_ptr(), events.len(), limit, mask, 8) } {
        Err(Errno(libc::ENOSYS)) => {
            let whole =
                |time: core::time::Duration| i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
            let milliseconds = timeout.map_or(-1, whole);
            // SAFETY: as above.
            unsafe { call!(SYS_epoll_pwait, epfd, events.as_mut_ptr(), events.len(), milliseconds, mask, 8) }
        }
        other => other,
    }
}
/// epoll_ctl(2).
pub fn epoll_ctl(epfd: i32, op: i32, fd: i32, event: Option<libc::epoll_event>) -> Result<usize> {
    let mut event = event;
    let pointer = event.as_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
    // SAFETY: the event lives until the call returns.
    unsafe { call!(SYS_epoll_ctl, epfd, op, fd, pointer) }
}
/// eventfd2(2), non-blocking and close-on-exec.
pub fn eventfd() -> Result<i32> {
    // SAFETY: no memory is involved.
    unsafe { call!(SYS_eventfd2, 0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) }.map(|fd| fd as i32)
}
/// close_range(2).
pub fn close_range(first: u32, last: u32, flags: u32) -> Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { call!(SYS_close_range, first, last, flags) }
}
/// connect(2) to AF_UNSPEC: a TCP connection is reset at once, for every holder of the socket.
pub fn disconnect(fd: i32) {
    let unspecified = [0u8; 16];
    // SAFETY: the kernel reads the 16 bytes.
    let _ = unsafe { call!(SYS_connect, fd, unspecified.as_ptr(), unspecified.len()) };
}
/// A `struct linger` that makes close a reset: on, and no time.
const ABORT: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];
/// The close that follows resets the connection.
pub fn close_with_reset(fd: i32) {
    let _ = setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, &ABORT);
}
/// Whether the program wants its close to be a reset.
pub fn closes_with_reset(fd: i32) -> bool {
    let mut linger = [0u8; 8];
    getsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, &mut linger).is_ok() && linger == ABORT
}
/// Whether [`tcp_counts`] can work here.
pub const HAS_TCP_COUNTS: bool = true;

/// What a poll that does not wait costs, about, in microseconds.
pub const POLL_MICROS: u32 = 1;

/// Whether the connections of a process that ends, however it does, are closed by the kernel at once.
pub const CLOSES_FOR_THE_DEAD: bool = true;
/// The kernel's counts of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpCounts {
    /// tcpi_state; 1 is ESTABLISHED.
    pub state: u8,
    /// tcpi_bytes_acked: counts the SYN at the end that connected.
    pub acked: u64,
    /// tcpi_bytes_received.
    pub received: u64,
}
/// `getsockopt(TCP_INFO)`.
pub fn tcp_counts(fd: i32) -> Result<TcpCounts> {
    let mut info = [0u8; 136];
    let len = getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info)?;
    if len < info.len() {
        return Err(Errno(libc::ENOPROTOOPT));
    }
    let word = |at: usize| info.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes);
    // struct tcp_info: state at 0; tcpi_bytes_acked at 120; tcpi_bytes_received at 128.
    Ok(TcpCounts { state: info[0], acked: word(120), received: word(128) })
}
/// Whether `fd` is a TCP socket, whoever made it.
#[must_use]
pub fn is_tcp(fd: i32) -> bool {
    let mut protocol = [0; 4];
    getsockopt(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL, &mut protocol).is_ok()
        && i32::from_ne_bytes(protocol) == libc::IPPROTO_TCP
}
/// epoll_create1(2), close-on-exec.
pub fn epoll_create() -> Result<i32> {
    // SAFETY: no memory is involved.
    unsafe { call!(SYS_epoll_create1, libc::EPOLL_CLOEXEC) }.map(|fd| fd as i32)
}
/// sendfile(2).
pub fn sendfile(out: i32, input: i32, offset: Option<&mut i64>, count: usize) -> Result<usize> {
    let offset = offset.map_or(core::ptr::null_mut(), core::ptr::from_mut);
    // SAFETY: the offset is null or lives until the call returns.
    unsafe { call!(SYS_sendfile, out, input, offset, count) }
}
