//! Calls that wait for readiness: what the ring knows is looked at here, everything else is the kernel's word.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(target_os = "linux")]
pub(crate) mod hot;
#[cfg(windows)]
mod list;
#[cfg(target_os = "linux")]
mod nested;
mod poll;
pub(crate) mod ready;
#[cfg(target_os = "linux")]
pub(crate) mod registration;
#[cfg(target_os = "linux")]
mod select;
#[cfg(target_os = "linux")]
mod set;
#[cfg(target_os = "linux")]
pub(crate) mod shared;
#[cfg(windows)]
pub(crate) mod watched;

#[cfg(target_os = "linux")]
pub use {epoll::epoll_wait, epoll::epoll_waited, registration::epoll_ctl, registration::epoll_made, select::select};
#[cfg(windows)]
pub use {list::select, watched::News, watched::keep_end_back, watched::on_news, watched::watch};
#[cfg(windows)]
pub(crate) use {watched as hot, watched as nested, watched as registration, watched as shared};

pub use poll::{poll, polled};

use crate::spin::Interrupted;
use std::time::Duration;
use vmmc_os::{Errno, abi, cancel, clock};

/// Native descriptors are looked at this often while accelerated ones are busy or spun on: a twentieth of the time.
const KERNEL_LOOK_MICROS: u32 = 20 * vmmc_os::kernel::POLL_MICROS;

/// Makes a kernel call that may sleep, for which `held` counts its caller in: a thread that is cancelled within it drops `held`.
fn asleep<T, R>(held: &T, call: impl FnOnce() -> R) -> R {
    extern "C" fn give_back<T>(held: *mut core::ffi::c_void) {
        // SAFETY: `asleep` names its own `held`, whose owner's frame ends here without running destructors.
        unsafe { held.cast::<T>().drop_in_place() };
    }
    cancel::sleep_holding(held, give_back::<T>, call)
}

/// These calls are never restarted.
fn interrupted(_: Interrupted) -> Errno {
    Errno(abi::EINTR)
}

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
