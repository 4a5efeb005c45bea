//! Bells: eventfds. Rings merge, and whoever waits for one may do so in any kind of poll.
use super::PollFd;
use super::kernel::{self, Result};
use core::time::Duration;

/// Makes a bell, closed by exec. The caller owns it.
///
/// # Errors
/// The kernel's: `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn create() -> Result<i32> {
    kernel::eventfd()
}

/// The bell of this process's service thread: a new one, which this process alone rings.
///
/// # Errors
/// As [`create`].
pub fn of_service() -> Result<i32> {
    create()
}

/// Rings `bell` (negative: there is none). It never blocks: a bell whose count is full rings already.
pub fn ring(bell: i32) {
    if bell >= 0 {
        let _ = kernel::write(bell, &1u64.to_ne_bytes());
    }
}

/// Silences `bell`.
pub fn clear(bell: i32) {
    let _ = kernel::read(bell, &mut [0; 8]);
}

/// Waits at most `timeout` (`None`: without end) until `bell` has rung, and silences it: whether it had.
///
/// # Errors
/// The kernel's: `EINTR` if a signal ended the wait.
pub fn wait(bell: i32, timeout: Option<Duration>) -> Result<bool> {
    let mut waiting = [PollFd { fd: bell, events: libc::POLLIN, revents: 0 }];
    let ringing = kernel::poll(&mut waiting, timeout, None)? > 0;
    Ok(ringing && kernel::read(bell, &mut [0; 8]).is_ok())
}
