//! What a process's service thread waits on: its own bell, the broker's connection, and the bells of its links.
use super::kernel::{self, Result};
use super::{EpollEvent, bell};
use core::time::Duration;

/// Epoll names of the two descriptors that are not links' bells.
const OWN: u64 = u64::MAX;
const BROKER: u64 = u64::MAX - 1;

/// See the file's page.
#[derive(Debug)]
pub struct Watch {
    epoll: i32,
    bell: i32,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// Something happened; otherwise the time is up.
    pub any: bool,
    /// The broker may have said something.
    pub broker: bool,
    /// A peer may have rung.
    pub peer: bool,
}

impl Watch {
    /// Watches the service thread's own bell. `keep` takes the watch's descriptor over and says its number from now on.
    ///
    /// # Errors
    /// The kernel's: `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new(bell: i32, keep: fn(i32) -> i32) -> Result<Self> {
        let watch = Self { epoll: keep(kernel::epoll_create()?), bell };
        watch.add(bell, libc::EPOLLIN, OWN);
        Ok(watch)
    }

    fn add(&self, fd: i32, events: i32, name: u64) {
        let event = EpollEvent { events: events as u32, u64: name };
        let _ = kernel::epoll_ctl(self.epoll, libc::EPOLL_CTL_ADD, fd, Some(event));
    }

    /// Watches the broker's connection too. One that is closed needs no word; negative does nothing.
    pub fn broker(&self, fd: i32) {
        if fd >= 0 {
            self.add(fd, libc::EPOLLIN, BROKER);
        }
    }

    /// Watches the bell that a peer rings; once is enough. A forked child may watch it too: both hear each ring, so nobody
    /// silences it.
    pub fn peer(&self, bell: i32) {
        self.add(bell, libc::EPOLLIN | libc::EPOLLET, bell as u64);
    }

    /// Waits at most `timeout` (`None`: without end). The own bell, if it rang, is silent again.
    pub fn wait(&self, timeout: Option<Duration>) -> Woken {
        let mut events = [EpollEvent { events: 0, u64: 0 }; 16];
        let ready = kernel::epoll_wait(self.epoll, &mut events, timeout, None).unwrap_or(0);
        let mut woken = Woken { any: ready > 0, ..Woken::default() };
        for event in events.iter().take(ready) {
            match event.u64 {
                OWN => bell::clear(self.bell),
                BROKER => woken.broker = true,
                _ => woken.peer = true,
            }
        }
        woken
    }
}
