//! `WSAAsyncSelect` and `WSAEventSelect`: the system tells of what happens on a socket by messages to a window, or by an event
//! object.
//!
//! A doorbell is a byte, so the system tells of it by itself. What it cannot know is that bytes lie in memory for which no
//! doorbell comes: the socket room says so, and the message is posted, or the event is set, here. Nor can it know that bytes
//! lie there before the end: then what it says of the end is kept back until they have been received. Everything else that
//! it tells of (connections, room to send) the system sees with its own eyes.

use crate::answer::{SOCKET_ERROR, told};
use crate::arguments::number;
use crate::real::real;
use crate::retrieval;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vmmc_socket::wait::News;
use vmmc_socket::{options, wait as room};
use vmmc_sync::{AtomicUsize, Ordering};
use windows_sys::Win32::Foundation::{HANDLE, HWND};
use windows_sys::Win32::Networking::WinSock::{FD_CLOSE, FD_CLOSE_BIT, FD_READ, FD_READ_BIT, SOCKET, WSANETWORKEVENTS};
use windows_sys::Win32::System::Threading::SetEvent;

real! {
    WinSock2 fn WSAAsyncSelect(socket: SOCKET, window: HWND, message: u32, events: i32) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSAEventSelect(socket: SOCKET, event: HANDLE, events: i32) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSAEnumNetworkEvents(socket: SOCKET, event: HANDLE, found: *mut WSANETWORKEVENTS) -> i32 = SOCKET_ERROR;
    User fn PostMessageA(window: HWND, message: u32, word: usize, long: isize) -> i32 = 0;
}

/// How a program is told. Handles are kept as addresses, which any thread may hold.
#[derive(Clone, Copy)]
enum Way {
    /// This message, to this window.
    Message(usize, u32),
    /// This event is set; for these reasons, which nobody has asked for since.
    Event(usize, u32),
}

/// A socket whose bytes, or whose end, are told of.
#[derive(Clone, Copy)]
struct Subscription {
    socket: i32,
    way: Way,
    /// What the program is told of.
    events: u32,
    /// The end that is kept back: the message's second word, or the error.
    end: Option<isize>,
}

/// While this is held the socket room is not called, which calls `announce` with a socket locked.
static SUBSCRIPTIONS: Mutex<Vec<Subscription>> = Mutex::new(Vec::new());
/// How many there are, so that those who never asked pay one load.
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn hold() -> MutexGuard<'static, Vec<Subscription>> {
    SUBSCRIPTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enter(socket: i32, way: Way, events: u32) {
    let mut subscriptions = hold();
    subscriptions.retain(|subscription| subscription.socket != socket);
    if subscriptions.try_reserve(1).is_ok() {
        subscriptions.push(Subscription { socket, way, events, end: None });
    }
    COUNT.store(subscriptions.len(), Ordering::Relaxed);
}

/// The socket has new events to tell of, or is about to be closed.
pub(crate) fn forget(socket: SOCKET) {
    if COUNT.load(Ordering::Relaxed) != 0 {
        let mut subscriptions = hold();
        subscriptions.retain(|subscription| subscription.socket != number(socket));
        COUNT.store(subscriptions.len(), Ordering::Relaxed);
    }
}

/// From now on the program is told of `events` on `socket` in this way. That also makes the socket non-blocking, for good.
fn subscribed(socket: SOCKET, events: i32, way: Way) {
    let events = events.cast_unsigned();
    told(|| {
        options::nonblocking_set(number(socket), true);
        if events & (FD_READ | FD_CLOSE) != 0 {
            room::on_news(announce);
            enter(number(socket), way, events);
        } else {
            forget(socket);
        }
        room::watch(number(socket), events & FD_READ != 0);
    });
}

pub(crate) unsafe extern "system" fn WSAAsyncSelect(socket: SOCKET, window: HWND, message: u32, events: i32) -> i32 {
    // SAFETY: no memory is involved.
    let result = unsafe { real::WSAAsyncSelect(socket, window, message, events) };
    if result == 0 {
        // Found now, since `announce` may not wait for the loader.
        real::symbol::PostMessageA.address();
        subscribed(socket, events, Way::Message(window.expose_provenance(), message));
        if events.cast_unsigned() & FD_CLOSE != 0 {
            told(|| retrieval::look_into(window));
        }
    }
    result
}

pub(crate) unsafe extern "system" fn WSAEventSelect(socket: SOCKET, event: HANDLE, events: i32) -> i32 {
    // SAFETY: no memory is involved.
    let result = unsafe { real::WSAEventSelect(socket, event, events) };
    if result == 0 {
        subscribed(socket, events, Way::Event(event.expose_provenance(), 0));
    }
    result
}

/// What the system will not tell. Called with the socket locked.
fn announce(socket: i32, news: News) {
    let mut subscriptions = hold();
    let Some(found) = subscriptions.iter_mut().find(|subscription| subscription.socket == socket) else { return };
    let reason = if news == News::End { FD_CLOSE } else { FD_READ };
    match &mut found.way {
        Way::Event(event, unasked) => {
            *unasked |= reason;
            // SAFETY: no memory is involved; an event that is gone is refused.
            unsafe { SetEvent(core::ptr::with_exposed_provenance_mut(*event)) };
        }
        Way::Message(window, message) => {
            let kept = if news == News::End { found.end.take() } else { None };
            let (window, long) = (core::ptr::with_exposed_provenance_mut(*window), kept.unwrap_or(reason as isize));
            // SAFETY: no memory is involved; a window that is gone is refused. A socket's number is its handle.
            unsafe { real::PostMessageA(window, *message, socket as u32 as usize, long) };
        }
    }
}

/// The system tells of the end of a socket that `is_meant`: whether the program has bytes to receive before it. Then it is told
/// later, as `end` says.
fn keep_back(socket: i32, end: isize, is_meant: impl Fn(&Subscription) -> bool) -> bool {
    let keep = |end: Option<isize>| {
        let mut subscriptions = hold();
        let found = subscriptions.iter_mut().find(|found| found.socket == socket && is_meant(found));
        found.map(|found| found.end = end).is_some()
    };
    // Noted first: as soon as the socket room knows of it, it can be announced.
    keep(Some(end)) && (room::keep_end_back(socket) || !keep(None))
}

/// Whether a message that the program retrieves tells of an end before its time.
pub(crate) fn is_early(window: usize, message: u32, word: usize, long: isize) -> bool {
    let is_meant = |found: &Subscription| matches!(found.way, Way::Message(at, of) if at == window && of == message);
    COUNT.load(Ordering::Relaxed) != 0 && long as u32 & 0xffff == FD_CLOSE && keep_back(number(word), long, is_meant)
}

/// What the system has told of, and what we have.
pub(crate) unsafe extern "system" fn WSAEnumNetworkEvents(
    socket: SOCKET,
    event: HANDLE,
    found: *mut WSANETWORKEVENTS,
) -> i32 {
    // SAFETY: the program's arguments.
    let result = unsafe { real::WSAEnumNetworkEvents(socket, event, found) };
    // SAFETY: the system has just written it.
    if let (0, Some(found)) = (result, unsafe { found.as_mut() })
        && COUNT.load(Ordering::Relaxed) != 0
    {
        told(|| correct(number(socket), found));
    }
    result
}

/// Takes out an end that has bytes before it, and puts in what we know of.
fn correct(socket: i32, found: &mut WSANETWORKEVENTS) {
    let is_meant = |found: &Subscription| matches!(found.way, Way::Event(..));
    let [read, close] = [FD_READ_BIT, FD_CLOSE_BIT].map(|bit| bit as usize);
    let error = found.iErrorCode.get(close).copied().unwrap_or(0);
    if found.lNetworkEvents as u32 & FD_CLOSE != 0 && keep_back(socket, error as isize, is_meant) {
        found.lNetworkEvents &= !(FD_CLOSE as i32);
    }
    let mut subscriptions = hold();
    let ours = subscriptions.iter_mut().find(|subscription| subscription.socket == socket);
    let Some(Subscription { way: Way::Event(_, unasked), end, .. }) = ours else { return };
    let news = core::mem::take(unasked);
    found.lNetworkEvents |= news as i32;
    for (event, bit, error) in [(FD_READ, read, 0), (FD_CLOSE, close, end.unwrap_or(0))] {
        if news & event != 0
            && let Some(place) = found.iErrorCode.get_mut(bit)
        {
            *place = error as i32;
        }
    }
}

/// An accepted socket begins with what its listener's program asked for.
pub(crate) fn inherited(listener: SOCKET, socket: SOCKET) {
    forget(socket);
    if COUNT.load(Ordering::Relaxed) == 0 {
        return;
    }
    let listeners = hold().iter().find(|subscription| subscription.socket == number(listener)).copied();
    if let Some(Subscription { way, events, .. }) = listeners {
        enter(number(socket), way, events);
        room::watch(number(socket), events & FD_READ != 0);
    }
}
