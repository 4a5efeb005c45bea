//! `WSAAsyncSelect`: the system posts a message to a window when something happens on a socket.
//!
//! A doorbell is a byte, so the system posts `FD_READ` for it by itself. What it cannot know is that a receive, which makes it
//! post again if more has come, has left bytes in memory: then the message is posted here. Everything else that it posts for
//! (connections, room to send, the end) it sees with its own eyes.

use crate::answer::{SOCKET_ERROR, told};
use crate::arguments::number;
use crate::real::real;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vmmc_socket::{options, wait as room};
use vmmc_sync::{AtomicUsize, Ordering};
use windows_sys::Win32::Foundation::HWND;
use windows_sys::Win32::Networking::WinSock::{FD_READ, SOCKET};

real! {
    WinSock2 fn WSAAsyncSelect(socket: SOCKET, window: HWND, message: u32, events: i32) -> i32 = SOCKET_ERROR;
    User fn PostMessageA(window: HWND, message: u32, word: usize, long: isize) -> i32 = 0;
}

/// Where a socket's readiness is told.
#[derive(Clone, Copy)]
struct Subscription {
    socket: i32,
    window: usize,
    message: u32,
}

static SUBSCRIPTIONS: Mutex<Vec<Subscription>> = Mutex::new(Vec::new());
/// How many there are, so that those who never asked for messages pay one load.
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn hold() -> MutexGuard<'static, Vec<Subscription>> {
    SUBSCRIPTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(socket: SOCKET) -> Option<Subscription> {
    if COUNT.load(Ordering::Relaxed) == 0 {
        return None;
    }
    hold().iter().find(|subscription| subscription.socket == number(socket)).copied()
}

fn enter(subscription: Subscription) {
    forget_number(subscription.socket);
    let mut subscriptions = hold();
    if subscriptions.try_reserve(1).is_ok() {
        subscriptions.push(subscription);
    }
    COUNT.store(subscriptions.len(), Ordering::Relaxed);
}

fn forget_number(socket: i32) {
    if COUNT.load(Ordering::Relaxed) != 0 {
        let mut subscriptions = hold();
        subscriptions.retain(|subscription| subscription.socket != socket);
        COUNT.store(subscriptions.len(), Ordering::Relaxed);
    }
}

/// It also makes the socket non-blocking, for good.
pub(crate) unsafe extern "system" fn WSAAsyncSelect(socket: SOCKET, window: HWND, message: u32, events: i32) -> i32 {
    // SAFETY: no memory is involved.
    let result = unsafe { real::WSAAsyncSelect(socket, window, message, events) };
    if result == 0 {
        told(|| {
            options::nonblocking_set(number(socket), true);
            if events.cast_unsigned() & FD_READ == 0 {
                forget_number(number(socket));
            } else {
                enter(Subscription { socket: number(socket), window: window.expose_provenance(), message });
            }
        });
        after_receive(socket);
    }
    result
}

/// A call has received, or found nothing: if bytes lie in memory the window is told, and else the sender is asked to ring.
#[inline]
pub(crate) fn after_receive(socket: SOCKET) {
    if COUNT.load(Ordering::Relaxed) != 0 {
        told(|| tell(socket));
    }
}

#[cold]
fn tell(socket: SOCKET) {
    if let Some(Subscription { window, message, .. }) = find(socket)
        && room::watch(number(socket))
    {
        let window = core::ptr::with_exposed_provenance_mut(window);
        // SAFETY: no memory is involved; a window that is gone is refused.
        unsafe { real::PostMessageA(window, message, socket, FD_READ as isize) };
    }
}

/// An accepted socket begins with its listener's messages.
pub(crate) fn inherited(listener: SOCKET, socket: SOCKET) {
    forget_number(number(socket));
    if let Some(subscription) = find(listener) {
        enter(Subscription { socket: number(socket), ..subscription });
    }
}

/// The socket is about to be closed.
pub(crate) fn forget(socket: SOCKET) {
    forget_number(number(socket));
}
