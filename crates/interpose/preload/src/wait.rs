//! Calls that wait for readiness.

use crate::answer::{asked, told};
use crate::arguments::{can_read, can_read_words, milliseconds, select_timeout, signal_set, timeout};
use crate::real::{also, real};
use core::ffi::c_int;
use libc::{fd_set, nfds_t, sigset_t, timespec, timeval};
use std::time::Duration;
use vmmc_os::{EpollEvent, PollFd, clock};
use vmmc_socket as room;

real! {
    fn poll(fds: *mut PollFd, count: nfds_t, time: c_int) -> c_int;
    fn ppoll(fds: *mut PollFd, count: nfds_t, time: *const timespec, mask: *const sigset_t) -> c_int;
    fn __poll_chk(fds: *mut PollFd, count: nfds_t, time: c_int, capacity: usize) -> c_int;
    fn __ppoll_chk(
        fds: *mut PollFd, count: nfds_t, time: *const timespec, mask: *const sigset_t, capacity: usize,
    ) -> c_int;
    fn select(count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, time: *mut timeval) -> c_int;
    fn pselect(
        count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, time: *const timespec,
        mask: *const sigset_t,
    ) -> c_int;
    fn epoll_create(size: c_int) -> c_int;
    fn epoll_create1(flags: c_int) -> c_int;
    fn epoll_ctl(epfd: c_int, op: c_int, fd: c_int, event: *mut EpollEvent) -> c_int;
    fn epoll_wait(epfd: c_int, events: *mut EpollEvent, count: c_int, time: c_int) -> c_int;
    fn epoll_pwait(epfd: c_int, events: *mut EpollEvent, count: c_int, time: c_int, mask: *const sigset_t) -> c_int;
    fn epoll_pwait2(
        epfd: c_int, events: *mut EpollEvent, count: c_int, time: *const timespec, mask: *const sigset_t,
    ) -> c_int;
}

const NANOSECONDS_IN_MICROSECOND: u32 = 1000;

/// The program's array of `count`; `None` if it is empty or the kernel must judge it.
unsafe fn array<'a, T>(first: *mut T, count: usize) -> Option<&'a mut [T]> {
    let usable = !first.is_null() && first.is_aligned() && count != 0 && i32::try_from(count).is_ok();
    // SAFETY: not null, aligned; the rest is the program's.
    usable.then(|| unsafe { core::slice::from_raw_parts_mut(first, count) })
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn poll(fds: *mut PollFd, count: nfds_t, time: c_int) -> c_int {
    // SAFETY: the program's arguments.
    if let Some(given) = unsafe { array(fds, count as usize) }
        && let Some(result) = asked(|| room::wait::poll(given, milliseconds(time), None))
    {
        return result as c_int;
    }
    // SAFETY: the program's arguments.
    unsafe { polled(fds, count, real::poll(fds, count, time)) }
}

/// The kernel has polled `fds`, and `reported` so many.
unsafe fn polled(fds: *mut PollFd, count: nfds_t, reported: c_int) -> c_int {
    if reported > 0
        // SAFETY: the program's array, which the kernel has written to.
        && let Some(given) = unsafe { array(fds, count as usize) }
    {
        told(|| room::wait::polled(given));
    }
    reported
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ppoll(
    fds: *mut PollFd,
    count: nfds_t,
    time: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: the program's arguments.
    let (given, limit, signals) = unsafe { (array(fds, count as usize), timeout(time), signal_set(mask)) };
    if let (Some(given), Some(limit), Some(signals)) = (given, limit, signals)
        && let Some(result) = asked(|| room::wait::poll(given, limit, signals))
    {
        return result as c_int;
    }
    // SAFETY: the program's arguments.
    unsafe { polled(fds, count, real::ppoll(fds, count, time, mask)) }
}

/// `capacity` is the array's size in bytes as the compiler saw it; the C library ends a program that overflows it.
#[unsafe(no_mangle)]
unsafe extern "C" fn __poll_chk(fds: *mut PollFd, count: nfds_t, time: c_int, capacity: usize) -> c_int {
    // SAFETY: the program's arguments.
    unsafe { if fits(count, capacity) { poll(fds, count, time) } else { real::__poll_chk(fds, count, time, capacity) } }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __ppoll_chk(
    fds: *mut PollFd,
    count: nfds_t,
    time: *const timespec,
    mask: *const sigset_t,
    capacity: usize,
) -> c_int {
    if !fits(count, capacity) {
        // SAFETY: the program's arguments.
        return unsafe { real::__ppoll_chk(fds, count, time, mask, capacity) };
    }
    // SAFETY: the program's arguments.
    unsafe { ppoll(fds, count, time, mask) }
}

fn fits(count: nfds_t, capacity: usize) -> bool {
    capacity / size_of::<PollFd>() >= count as usize
}

/// select's three sets as words of bits.
///
/// A `count` beyond FD_SETSIZE is the kernel's as well: programs pass the size of their descriptor table with smaller arrays,
/// and only the kernel knows how far it will look.
struct Sets<'a>([Option<&'a mut [u64]>; 3]);

impl Sets<'_> {
    unsafe fn new(count: c_int, sets: [*mut fd_set; 3]) -> Option<Self> {
        let bits = usize::try_from(count).ok().filter(|bits| *bits <= libc::FD_SETSIZE)?;
        let [read, write, except] = sets.map(<*mut fd_set>::cast::<u64>);
        let same = |a: *mut u64, b: *mut u64| !a.is_null() && a == b;
        if same(read, write) || same(read, except) || same(write, except) || bits == 0 {
            return None;
        }
        let words = bits.div_ceil(64);
        let is_usable =
            |set: &*mut u64| set.is_null() || set.is_aligned() && can_read_words(set.cast(), words * size_of::<u64>());
        if ![read, write, except].iter().all(is_usable) {
            return None;
        }
        let words = |set: *mut u64| {
            // SAFETY: aligned, apart from the others, not null, readable; the rest is the program's.
            (!set.is_null()).then(|| unsafe { core::slice::from_raw_parts_mut(set, words) })
        };
        Some(Self([words(read), words(write), words(except)]))
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    time: *mut timeval,
) -> c_int {
    // SAFETY: the program's arguments.
    let (sets, limit) = unsafe { (Sets::new(count, [read, write, except]), select_timeout(time)) };
    if let (Some(Sets([reads, writes, excepts])), Some(limit)) = (sets, limit) {
        let mut remaining = limit.unwrap_or_default();
        if let Some(result) = asked(|| room::wait::select(count, reads, writes, excepts, limit, None, &mut remaining)) {
            // SAFETY: null or the program's to be written.
            if let Some(time) = unsafe { time.as_mut() } {
                *time = as_timeval(remaining);
            }
            return result as c_int;
        }
    }
    // SAFETY: the program's arguments.
    unsafe { real::select(count, read, write, except, time) }
}

fn as_timeval(time: Duration) -> timeval {
    timeval {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_usec: i64::from(time.subsec_nanos() / NANOSECONDS_IN_MICROSECOND),
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pselect(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    time: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: the program's arguments.
    let (sets, limit, signals) = unsafe { (Sets::new(count, [read, write, except]), timeout(time), signal_set(mask)) };
    if let (Some(Sets([reads, writes, excepts])), Some(limit), Some(signals)) = (sets, limit, signals) {
        let mut unasked = Duration::ZERO;
        if let Some(result) = asked(|| room::wait::select(count, reads, writes, excepts, limit, signals, &mut unasked))
        {
            return result as c_int;
        }
    }
    // SAFETY: the program's arguments.
    unsafe { real::pselect(count, read, write, except, time, mask) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn epoll_create(size: c_int) -> c_int {
    // SAFETY: no memory is involved.
    made_epoll(unsafe { real::epoll_create(size) })
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn epoll_create1(flags: c_int) -> c_int {
    // SAFETY: no memory is involved.
    made_epoll(unsafe { real::epoll_create1(flags) })
}

fn made_epoll(epfd: c_int) -> c_int {
    if epfd >= 0 {
        told(|| room::wait::epoll_made(epfd));
    }
    epfd
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn epoll_ctl(epfd: c_int, op: c_int, fd: c_int, event: *mut EpollEvent) -> c_int {
    // SAFETY: the program's, and readable; `EpollEvent` is packed, so it is read whole.
    let given = can_read(event).then(|| unsafe { event.read_unaligned() });
    if let Some(result) = asked(|| room::wait::epoll_ctl(epfd, op, fd, given)) {
        return result as c_int;
    }
    // SAFETY: the program's arguments.
    unsafe { real::epoll_ctl(epfd, op, fd, event) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn epoll_wait(epfd: c_int, events: *mut EpollEvent, count: c_int, time: c_int) -> c_int {
    // SAFETY: the program's arguments.
    let by_kernel = || unsafe { real::epoll_wait(epfd, events, count, time) };
    // SAFETY: the program's arguments.
    unsafe { waited(epfd, events, count, milliseconds(time), core::ptr::null(), by_kernel) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn epoll_pwait(
    epfd: c_int,
    events: *mut EpollEvent,
    count: c_int,
    time: c_int,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: the program's arguments.
    let by_kernel = || unsafe { real::epoll_pwait(epfd, events, count, time, mask) };
    // SAFETY: the program's arguments.
    unsafe { waited(epfd, events, count, milliseconds(time), mask, by_kernel) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn epoll_pwait2(
    epfd: c_int,
    events: *mut EpollEvent,
    count: c_int,
    time: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: the program's arguments.
    let by_kernel = || unsafe { real::epoll_pwait2(epfd, events, count, time, mask) };
    // SAFETY: the program's arguments.
    unsafe {
        match timeout(time) {
            Some(limit) => waited(epfd, events, count, limit, mask, by_kernel),
            None => by_kernel(),
        }
    }
}

/// The socket room's epoll_wait(2), or the kernel's. If the set has become the room's while the kernel waited, what the kernel has
/// reported is looked at once more, and waited for if nothing is left of it.
unsafe fn waited(
    epfd: c_int,
    events: *mut EpollEvent,
    count: c_int,
    limit: Option<Duration>,
    mask: *const sigset_t,
    by_kernel: impl FnOnce() -> c_int,
) -> c_int {
    // SAFETY: the program's arguments.
    let Some(signals) = (unsafe { signal_set(mask) }) else { return by_kernel() };
    let by_room = |limit| {
        // SAFETY: as above.
        let places = unsafe { array(events, usize::try_from(count).ok()?) }?;
        asked(|| room::wait::epoll_wait(epfd, places, limit, signals)).map(|result| result as c_int)
    };
    if let Some(result) = by_room(limit) {
        return result;
    }
    let deadline = limit.map(|limit| clock::monotonic().saturating_add(limit));
    let reported = by_kernel();
    // SAFETY: so many places the kernel has filled; none if there was an error.
    let reports = unsafe { array(events, usize::try_from(reported).unwrap_or(0)) };
    match reports.and_then(|reports| told(|| room::wait::epoll_waited(epfd, reports))) {
        None => reported,
        Some(0) => by_room(deadline.map(|end| end.saturating_sub(clock::monotonic()))).unwrap_or(0),
        Some(kept) => kept as c_int,
    }
}

also! {
    __poll = poll(fds: *mut PollFd, count: nfds_t, time: c_int) -> c_int;
    __select = select(
        count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, time: *mut timeval,
    ) -> c_int;
}
