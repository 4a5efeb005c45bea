//! What a process's service thread waits on: its bell, which is every link's too, and the broker's word.
use super::handle;
use super::kernel::{Result, milliseconds};
use core::time::Duration;
use vmmc_sync::{AtomicU32, Ordering};
use windows_sys::Win32::Foundation::{HANDLE, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::WaitForMultipleObjects;

const NONE: u32 = u32::MAX;

/// See the file's page.
#[derive(Debug)]
pub struct Watch {
    bell: i32,
    broker: AtomicU32,
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
    /// Watches the service thread's own bell. `_keep` is for systems where a watch is a descriptor.
    ///
    /// # Errors
    /// None here.
    pub fn new(bell: i32, _keep: fn(i32) -> i32) -> Result<Self> {
        Ok(Self { bell, broker: AtomicU32::new(NONE) })
    }

    /// Watches the broker's connection too, by the handle that is signalled when there is something to receive.
    /// Negative: none (any more); the broker rings the bell.
    pub fn broker(&self, fd: i32) {
        self.broker.store(fd as u32, Ordering::Relaxed);
    }

    /// A link's bell: it is the process's own, which is watched already.
    pub fn peer(&self, _bell: i32) {}

    /// Waits at most `timeout` (`None`: without end). Bells that rang are silent again.
    pub fn wait(&self, timeout: Option<Duration>) -> Woken {
        let broker = self.broker.load(Ordering::Relaxed) as i32;
        let handles: [HANDLE; 2] = [handle(self.bell), handle(broker)];
        let count = if broker < 0 { 1 } else { 2 };
        // SAFETY: the array holds `count` handles until the call returns.
        let ended = unsafe { WaitForMultipleObjects(count, handles.as_ptr(), 0, milliseconds(timeout)) };
        match ended {
            WAIT_OBJECT_0 => Woken { any: true, broker: true, peer: true },
            WAIT_TIMEOUT => Woken::default(),
            // The broker's word, or a handle that is none: whoever asks the broker finds out, and takes it off.
            _ => Woken { any: true, broker: true, peer: false },
        }
    }
}
