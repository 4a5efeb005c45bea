//! Links whose other process has ended, where the kernel may keep its connections open for ever: what it does not end is
//! ended here.
use crate::connection::flag;
use crate::pairing;
use crate::wait::ready;
use std::time::Duration;
use vmmc_os::{clock, kernel};
use vmmc_protocol::Reason;
use vmmc_stream::Road;
use vmmc_sync::Ordering;

/// How long the kernel has to close what an ended process had open.
const GRACE: Duration = Duration::from_millis(50);
/// A link on which bytes lie unread is looked at again after this long.
const AGAIN: Duration = Duration::from_millis(250);

/// Each such link, and when it is to be looked at.
pub(crate) struct Bereaved(Vec<(u64, Duration)>);

impl Bereaved {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// The broker says that the process at the link's other end has ended.
    pub(crate) fn add(&mut self, link: u64) {
        if !kernel::CLOSES_FOR_THE_DEAD {
            self.0.push((link, clock::monotonic() + GRACE));
        }
    }

    /// How long until one is to be looked at.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let first = self.0.iter().map(|(_, due)| *due).min()?;
        Some(first.saturating_sub(clock::monotonic()))
    }

    /// Looks at those whose time has come.
    pub(crate) fn look(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let now = clock::monotonic();
        self.0.retain_mut(|(link, due)| {
            let is_due = now >= *due;
            if is_due {
                *due = now + AGAIN;
            }
            !is_due || end_connections(*link)
        });
    }
}

/// Resets connections on which only the ended process could have sent, unless the kernel knows their end. `true`: on some of
/// them bytes still lie unread.
fn end_connections(link: u64) -> bool {
    let mut unread = false;
    pairing::each_paired(|connection, fd| {
        let over = connection.has(flag::PEER_FINISHED | flag::BROKEN) || connection.recv.road() != Road::Vmmc;
        if over || connection.link.load(Ordering::Relaxed) != link {
            return;
        }
        if ready::has_bytes(connection) {
            unread = true;
        } else if !ready::readable(connection, fd) {
            connection.reset(fd, Reason::PEER_ENDED);
        }
    });
    unread
}
