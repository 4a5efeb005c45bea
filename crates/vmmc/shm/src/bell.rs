//! An eventfd as a bell: rings merge, and whoever waits for it may do so in any kind of poll.
use core::time::Duration;
use vmmc_os::kernel::{self, Result};
use vmmc_os::{PollFd, abi};

/// Rings the eventfd `fd` (negative: there is none). It never blocks: a bell whose count is full rings already.
pub(crate) fn ring(fd: i32) {
    if fd >= 0 {
        let _ = kernel::write(fd, &1u64.to_ne_bytes());
    }
}

/// Waits at most `timeout` (`None`: without end) until `fd` has rung, and silences it: whether it had.
pub(crate) fn wait(fd: i32, timeout: Option<Duration>) -> Result<bool> {
    let mut waiting = [PollFd { fd, events: abi::POLLIN, revents: 0 }];
    let ringing = kernel::poll(&mut waiting, timeout, None)? > 0;
    Ok(ringing && kernel::read(fd, &mut [0; 8]).is_ok())
}
