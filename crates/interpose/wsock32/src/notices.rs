//! `WSAAsyncSelect` and `WSAEventSelect`: the system tells of what happens on a socket by messages to a window, or by an event
//! object.
//!
//! A doorbell is a byte, so the system tells of it by itself. What it cannot know is that bytes lie in memory for which no
//! doorbell comes: the socket room says so, and the message is posted, or the event is set, here. Everything else that it
//! tells of (connections, room to send, the end) the system sees with its own eyes.

use crate::answer::{SOCKET_ERROR, told};
use crate::arguments::number;
use crate::real::real;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vmmc_socket::{options, wait as room};
use vmmc_sync::{AtomicUsize, Ordering};
use windows_sys::Win32::Foundation::{HANDLE, HWND};
use windows_sys::Win32::Networking::WinSock::{FD_READ, FD_READ_BIT, SOCKET, WSANETWORKEVENTS};
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
    /// This event is set; `true`: and nobody has asked since what for.
    Event(usize, bool),
}

/// A socket whose bytes are told of.
#[derive(Clone, Copy)]
struct Subscription {
    socket: i32,
    way: Way,
}

/// While this is held the socket room is not called, which calls `announce` with a socket locked.
static SUBSCRIPTIONS: Mutex<Vec<Subscription>> = Mutex::new(Vec::new());
/// How many there are, so that those who never asked pay one load.
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn hold() -> MutexGuard<'static, Vec<Subscription>> {
    SUBSCRIPTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enter(socket: i32, way: Way) {
    let mut subscriptions = hold();
    subscriptions.retain(|subscription| subscription.socket != socket);
    if subscriptions.try_reserve(1).is_ok() {
        subscriptions.push(Subscription { socket, way });
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
    told(|| {
        let reads = events.cast_unsigned() & FD_READ != 0;
        options::nonblocking_set(number(socket), true);
        if reads {
            room::on_news(announce);
            enter(number(socket), way);
        } else {
            forget(socket);
        }
        room::watch(number(socket), reads);
    });
}

pub(crate) unsafe extern "system" fn WSAAsyncSelect(socket: SOCKET, window: HWND, message: u32, events: i32) -> i32 {
    // SAFETY: no memory is involved.
    let result = unsafe { real::WSAAsyncSelect(socket, window, message, events) };
    if result == 0 {
        // Found now, since `announce` may not wait for the loader.
        real::symbol::PostMessageA.address();
        subscribed(socket, events, Way::Message(window.expose_provenance(), message));
    }
    result
}

pub(crate) unsafe extern "system" fn WSAEventSelect(socket: SOCKET, event: HANDLE, events: i32) -> i32 {
    // SAFETY: no memory is involved.
    let result = unsafe { real::WSAEventSelect(socket, event, events) };
    if result == 0 {
        subscribed(socket, events, Way::Event(event.expose_provenance(), false));
    }
    result
}

/// Bytes lie in memory, and the system will not tell. Called with the socket locked.
fn announce(socket: i32) {
    let mut subscriptions = hold();
    match subscriptions.iter_mut().find(|subscription| subscription.socket == socket).map(|found| &mut found.way) {
        Some(Way::Event(event, unasked)) => {
            *unasked = true;
            // SAFETY: no memory is involved; an event that is gone is refused.
            unsafe { SetEvent(core::ptr::with_exposed_provenance_mut(*event)) };
        }
        Some(Way::Message(window, message)) => {
            let window = core::ptr::with_exposed_provenance_mut(*window);
            // SAFETY: no memory is involved; a window that is gone is refused. A socket's number is its handle.
            unsafe { real::PostMessageA(window, *message, socket as u32 as usize, FD_READ as isize) };
        }
        None => {}
    }
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
        let mut subscriptions = hold();
        let ours = subscriptions.iter_mut().find(|subscription| subscription.socket == number(socket));
        if let Some(Subscription { way: Way::Event(_, unasked @ true), .. }) = ours {
            *unasked = false;
            found.lNetworkEvents |= FD_READ as i32;
            if let Some(error) = found.iErrorCode.get_mut(FD_READ_BIT as usize) {
                *error = 0;
            }
        }
    }
    result
}

/// An accepted socket begins with what its listener's program asked for.
pub(crate) fn inherited(listener: SOCKET, socket: SOCKET) {
    forget(socket);
    if COUNT.load(Ordering::Relaxed) == 0 {
        return;
    }
    let way = hold().iter().find(|subscription| subscription.socket == number(listener)).map(|found| found.way);
    if let Some(way) = way {
        enter(number(socket), way);
        room::watch(number(socket), true);
    }
}
