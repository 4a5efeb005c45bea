//! Calls that wait for readiness.

use crate::answer::{SOCKET_ERROR, asked};
use crate::arguments::{number, timeout};
use crate::real::real;
use core::time::Duration;
use vmmc_os::{PollFd, abi};
use vmmc_socket::lifecycle::is_tracked;
use vmmc_socket::wait as room;
use windows_sys::Win32::Networking::WinSock::{FD_SET, SOCKET, TIMEVAL, WSAPOLLFD};

real! {
    WinSock2 fn select(
        ignored: i32, read: *mut FD_SET, write: *mut FD_SET, except: *mut FD_SET, time: *const TIMEVAL,
    ) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSAPoll(fds: *mut WSAPOLLFD, count: u32, milliseconds: i32) -> i32 = SOCKET_ERROR;
}

/// One of select's sets: a count, and so many sockets; a program may have made it larger than `FD_SETSIZE`.
struct Set<'a> {
    count: Option<&'a mut u32>,
    sockets: &'a mut [SOCKET],
}

impl Set<'_> {
    /// # Safety
    /// `set` is null, or the program's and apart from the other sets.
    unsafe fn new(set: *mut FD_SET) -> Option<Self> {
        if !set.is_aligned() {
            return None;
        }
        if set.is_null() {
            return Some(Self { count: None, sockets: &mut [] });
        }
        // SAFETY: aligned and not null; that as many sockets stand there as it says is the program's promise.
        unsafe {
            let sockets = (&raw mut (*set).fd_array).cast::<SOCKET>();
            let sockets = core::slice::from_raw_parts_mut(sockets, usize::try_from((*set).fd_count).ok()?);
            Some(Self { count: Some(&mut (*set).fd_count), sockets })
        }
    }

    /// Keeps those of which `is_ready` is true; how many that are.
    fn keep(&mut self, mut is_ready: impl FnMut(SOCKET) -> bool) -> u32 {
        let mut kept = 0;
        for at in 0..self.sockets.len() {
            let Some(socket) = self.sockets.get(at).copied() else { break };
            if is_ready(socket)
                && let Some(place) = self.sockets.get_mut(kept)
            {
                *place = socket;
                kept += 1;
            }
        }
        let kept = kept as u32;
        if let Some(count) = &mut self.count {
            **count = kept;
        }
        kept
    }
}

/// What each set asks for, by the names that the socket room's select has for them.
const EVENTS: [i16; 3] = [abi::POLLIN, abi::POLLOUT, abi::POLLPRI];

pub(crate) unsafe extern "system" fn select(
    ignored: i32,
    read: *mut FD_SET,
    write: *mut FD_SET,
    except: *mut FD_SET,
    time: *const TIMEVAL,
) -> i32 {
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { selected([read, write, except], time) } {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::select(ignored, read, write, except, time) }
}

/// The socket room's select; `None` if the call is the system's.
unsafe fn selected(given: [*mut FD_SET; 3], time: *const TIMEVAL) -> Option<i32> {
    let [read, write, except] = given;
    let same = |a: *mut FD_SET, b: *mut FD_SET| !a.is_null() && a == b;
    if same(read, write) || same(read, except) || same(write, except) {
        return None;
    }
    // SAFETY: the program's arguments, of which no two are the same.
    let (limit, mut sets) = unsafe { (timeout(time)?, [Set::new(read)?, Set::new(write)?, Set::new(except)?]) };
    // Only what is read can come over memory.
    if !sets.iter().take(1).any(|set| set.sockets.iter().any(|socket| is_tracked(number(*socket)))) {
        return None;
    }
    let mut entries: Vec<PollFd> = Vec::new();
    entries.try_reserve_exact(sets.iter().map(|set| set.sockets.len()).sum()).ok()?;
    for (set, events) in sets.iter().zip(EVENTS) {
        entries.extend(set.sockets.iter().map(|socket| PollFd { fd: number(*socket), events, revents: 0 }));
    }
    merge(&mut entries);
    let result = asked(|| room::select(&mut entries, limit))?;
    if result < 0 {
        return Some(result);
    }
    let mut ready = 0;
    for (set, events) in sets.iter_mut().zip(EVENTS) {
        ready += set.keep(|socket| {
            let at = entries.binary_search_by_key(&number(socket), |entry| entry.fd).ok();
            at.and_then(|at| entries.get(at)).is_some_and(|entry| entry.revents & events != 0)
        });
    }
    i32::try_from(ready).ok()
}

/// One entry a socket, in the order of their numbers.
fn merge(entries: &mut Vec<PollFd>) {
    entries.sort_unstable_by_key(|entry| entry.fd);
    entries.dedup_by(|next, first| {
        let same = next.fd == first.fd;
        first.events |= if same { next.events } else { 0 };
        same
    });
}

pub(crate) unsafe extern "system" fn WSAPoll(fds: *mut WSAPOLLFD, count: u32, milliseconds: i32) -> i32 {
    // SAFETY: the program's arguments.
    if let Some(result) = unsafe { polled(fds, count, milliseconds) } {
        return result;
    }
    // SAFETY: the program's arguments.
    unsafe { real::WSAPoll(fds, count, milliseconds) }
}

/// The socket room's poll; `None` if the call is the system's.
unsafe fn polled(fds: *mut WSAPOLLFD, count: u32, milliseconds: i32) -> Option<i32> {
    if fds.is_null() || !fds.is_aligned() {
        return None;
    }
    // SAFETY: aligned and not null; that so many stand there is the program's promise.
    let given = unsafe { core::slice::from_raw_parts_mut(fds, usize::try_from(count).ok()?) };
    if !given.iter().any(|entry| is_tracked(number(entry.fd))) {
        return None;
    }
    let mut entries: Vec<PollFd> = Vec::new();
    entries.try_reserve_exact(given.len()).ok()?;
    entries.extend(given.iter().map(|entry| PollFd { fd: number(entry.fd), events: entry.events, revents: 0 }));
    let limit = u64::try_from(milliseconds).ok().map(Duration::from_millis);
    let result = asked(|| room::poll(&mut entries, limit, None))?;
    for (place, entry) in given.iter_mut().zip(&entries) {
        place.revents = entry.revents;
    }
    Some(result)
}
