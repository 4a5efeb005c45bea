//! Signals of a thread that waits without the kernel's help: held back meanwhile, so that none is lost between two looks.
use super::kernel::{self, call, syscall6};
use core::ptr::null;
use core::time::Duration;

const SET: usize = size_of::<u64>();

/// The calling thread's signals are held back until this is dropped.
#[derive(Debug)]
pub struct Held {
    before: u64,
}

/// Holds back all signals that can be.
#[must_use]
pub fn hold() -> Held {
    let mut before = 0u64;
    // SAFETY: the kernel reads one set and writes the other.
    let _ = unsafe { call!(SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const ALL, &raw mut before, SET) };
    Held { before }
}

static ALL: u64 = u64::MAX;

impl Held {
    /// Lets signals in that have come, as far as `mask` opens (`None`: the thread's own). `Some`: there was one with a handler,
    /// which has run, and this says whether it wants calls restarted (SA_RESTART).
    #[must_use]
    pub fn let_in(&self, mask: Option<u64>) -> Option<bool> {
        let (mut come, mask) = (0u64, mask.unwrap_or(self.before));
        // SAFETY: the kernel writes one set.
        unsafe { call!(SYS_rt_sigpending, &raw mut come, SET) }.ok()?;
        if come & !mask == 0 {
            return None;
        }
        let restarts = restarts(come & !mask);
        kernel::poll(&mut [], Some(Duration::ZERO), Some(mask)).is_err().then_some(restarts)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the kernel reads one set.
        let _ = unsafe { call!(SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const self.before, null::<u64>(), SET) };
    }
}

/// What the kernel goes by: the flags of the first handler, and that is the lowest signal's.
fn restarts(signals: u64) -> bool {
    /// `struct kernel_sigaction`.
    #[repr(C)]
    #[derive(Default)]
    struct Action {
        handler: usize,
        flags: u64,
        restorer: usize,
        mask: u64,
    }
    let action = |bit: &u32| {
        let mut action = Action::default();
        // SAFETY: the kernel writes the structure.
        let asked = unsafe { call!(SYS_rt_sigaction, bit + 1, null::<Action>(), &raw mut action, SET) };
        (asked.is_ok() && action.handler > libc::SIG_IGN).then_some(action.flags)
    };
    let first = (0..u64::BITS).filter(|bit| signals & 1 << bit != 0).find_map(|bit| action(&bit));
    first.is_some_and(|flags| flags & libc::SA_RESTART as u64 != 0)
}
