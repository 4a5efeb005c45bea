//! Calls that wait for readiness: what the ring knows is looked at here, everything else is the kernel's word.

mod epoll;
pub(crate) mod hot;
mod poll;
mod ready;
pub(crate) mod registration;
mod select;
mod set;

pub use epoll::epoll_wait;
pub use poll::poll;
pub use registration::{epoll_ctl, epoll_made};
pub use select::select;

use std::time::Duration;
use vmmc_os::clock;

/// Native descriptors are looked at this often while accelerated ones are busy or spun on.
const KERNEL_LOOK_MICROS: u32 = 20;

/// A point in time until which a call may wait.
#[derive(Clone, Copy)]
struct Deadline(Option<Duration>);

impl Deadline {
    fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.and_then(|timeout| clock::monotonic().checked_add(timeout)))
    }
    /// Time left; `None`: for ever.
    fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_sub(clock::monotonic()))
    }
}
