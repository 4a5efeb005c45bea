//! The gate of one direction: kernel calls pass in any number while no move is possible, ring work passes alone.
//!
//! The word lies in memory that the process family shares, so a forked parent and child use one gate. The exclusive
//! holder's process stands in the word: a gate whose holder was killed is taken over. Its thread stands beside: a signal
//! handler that interrupted it must not wait for it.
use std::time::Duration;
use vmmc_os::{cancel, futex, process};
use vmmc_sync::{AtomicU32, AtomicU64, Ordering};

const EXCLUSIVE: u32 = 1 << 31;
const AWAITED: u32 = 1 << 30;
/// Where the exclusive holder's process stands; also the largest number of one.
pub(crate) const HOLDER: u32 = (1 << 22) - 1;
/// How long a waiter sleeps before it asks whether the holder still lives.
const HOLDER_CHECK: Duration = Duration::from_millis(50);

/// See the file's page. All-zero is open.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Gate {
    word: AtomicU32,
    /// The exclusive holder's thread, or 0.
    thread: AtomicU64,
}

/// Exclusive passage; given back on drop.
#[derive(Debug)]
pub(crate) struct Alone<'a>(&'a Gate);

/// Shared passage for one kernel call; given back on drop.
#[derive(Debug)]
pub(crate) struct Among<'a>(&'a Gate);

impl Gate {
    /// Alone at once, or not at all.
    #[inline]
    pub(crate) fn try_alone(&self, pid: u32) -> Option<Alone<'_>> {
        let free = self.word.compare_exchange(0, EXCLUSIVE | pid, Ordering::Acquire, Ordering::Relaxed);
        free.ok().map(|_| self.held())
    }

    #[inline]
    fn held(&self) -> Alone<'_> {
        self.thread.store(process::thread_mark(), Ordering::Relaxed);
        Alone(self)
    }

    /// The calling thread itself is alone here, so this is a signal handler in the midst of that.
    fn is_own(&self, word: u32, pid: u32) -> bool {
        word & EXCLUSIVE != 0 && word & HOLDER == pid && self.thread.load(Ordering::Relaxed) == process::thread_mark()
    }

    /// Alone, waiting for another exclusive holder; `None` if kernel calls are under way, which may last for ever, or if
    /// the calling thread is alone already.
    #[inline]
    pub(crate) fn alone(&self, pid: u32) -> Option<Alone<'_>> {
        match self.try_alone(pid) {
            Some(alone) => Some(alone),
            None => self.alone_slow(pid),
        }
    }

    #[cold]
    fn alone_slow(&self, pid: u32) -> Option<Alone<'_>> {
        for round in 0u32.. {
            let word = self.word.load(Ordering::Relaxed);
            if word & EXCLUSIVE == 0 && word & HOLDER != 0 || self.is_own(word, pid) {
                return None;
            }
            if word & HOLDER == 0 {
                let mine = EXCLUSIVE | pid | (word & AWAITED);
                if self.word.compare_exchange(word, mine, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    return Some(self.held());
                }
            } else if round < 64 {
                vmmc_sync::spin_loop();
            } else {
                self.wait(word);
            }
        }
        None
    }

    /// Sleeps until the exclusive holder goes; takes the gate from one that has died.
    fn wait(&self, word: u32) {
        let awaited = word | AWAITED;
        if word != awaited && self.word.compare_exchange(word, awaited, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        if futex::wait(&self.word, awaited, Some(HOLDER_CHECK)) == Ok(futex::Wake::TimedOut)
            && !process::exists(word & HOLDER)
        {
            let _ = self.word.compare_exchange(awaited, 0, Ordering::Acquire, Ordering::Relaxed);
        }
    }

    /// Among others, for one kernel call; waits while somebody is alone. `None` if that is the calling thread.
    #[inline]
    pub(crate) fn among(&self, pid: u32) -> Option<Among<'_>> {
        let word = self.word.load(Ordering::Relaxed);
        if word & EXCLUSIVE == 0
            && self.word.compare_exchange(word, word + 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            return Some(Among(self));
        }
        self.among_slow(pid)
    }

    #[cold]
    fn among_slow(&self, pid: u32) -> Option<Among<'_>> {
        for round in 0u32.. {
            let word = self.word.load(Ordering::Relaxed);
            if word & EXCLUSIVE == 0 {
                if self.word.compare_exchange(word, word + 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    break;
                }
            } else if self.is_own(word, pid) {
                return None;
            } else if round < 64 {
                vmmc_sync::spin_loop();
            } else {
                self.wait(word);
            }
        }
        Some(Among(self))
    }
}

impl Drop for Alone<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.thread.store(0, Ordering::Relaxed);
        if self.0.word.swap(0, Ordering::Release) & AWAITED != 0 {
            let _ = futex::wake(&self.0.word, u32::MAX);
        }
    }
}

impl Drop for Among<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.word.fetch_sub(1, Ordering::Release);
    }
}

impl Among<'_> {
    /// Makes a kernel call that may sleep; a thread that is cancelled within it gives its passage back.
    pub(crate) fn asleep<R>(&self, call: impl FnOnce() -> R) -> R {
        extern "C" fn leave(gate: *mut core::ffi::c_void) {
            // SAFETY: `asleep` names its own gate, which outlives the call.
            unsafe { &*gate.cast::<Gate>() }.word.fetch_sub(1, Ordering::Release);
        }
        cancel::sleep_holding(self.0, leave, call)
    }
}

impl<'a> Alone<'a> {
    /// Lets others in, for the kernel call that follows, without a moment in which a third could be alone.
    pub(crate) fn among(self) -> Among<'a> {
        let gate = self.0;
        core::mem::forget(self);
        gate.thread.store(0, Ordering::Relaxed);
        if gate.word.swap(1, Ordering::Release) & AWAITED != 0 {
            let _ = futex::wake(&gate.word, u32::MAX);
        }
        Among(gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(word: u32) -> Gate {
        Gate { word: AtomicU32::new(word), thread: AtomicU64::new(0) }
    }

    #[test]
    fn a_handler_does_not_wait_for_the_thread_that_it_interrupted() {
        let gate = gate(0);
        let alone = gate.alone(1);
        assert!(alone.is_some() && gate.alone(1).is_none() && gate.among(1).is_none());
        drop(alone);
        assert!(gate.among(1).is_some());
    }

    #[test]
    fn calls_pass_together_and_ring_work_alone() {
        let gate = gate(0);
        let (one, two) = (gate.among(1), gate.among(1));
        assert!(gate.alone(1).is_none());
        drop((one, two));
        let alone = gate.alone(1);
        assert!(alone.is_some() && gate.try_alone(1).is_none());
        drop(alone.map(Alone::among));
        assert!(gate.try_alone(1).is_some());
    }

    #[test]
    fn a_dead_holder_loses_the_gate() {
        let gate = gate(EXCLUSIVE | HOLDER);
        assert!(gate.alone(1).is_some());
    }

    #[test]
    fn exclusive_holders_take_turns() {
        let (gate, sum) = (gate(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let alone = gate.alone(std::process::id()).unwrap();
                        sum.store(sum.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                        drop(alone);
                    }
                });
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 40_000);
    }
}
