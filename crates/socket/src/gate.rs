//! The gate of one direction: kernel calls pass in any number while no move is possible, ring work passes alone.
//!
//! The word lies in memory that the process family shares, so a forked parent and child use one gate. The exclusive
//! holder's process stands in the word: a gate whose holder was killed is taken over. So does its thread: a signal handler
//! that interrupted it must not wait for it.
//!
//! Alone is what every send and receive is, so it costs one locked instruction: the gate is opened again by a plain store,
//! and whoever waits is counted in a word of its own.
use core::sync::atomic::AtomicU32 as FutexWord;
use std::time::Duration;
use vmmc_os::{cancel, futex, process};
use vmmc_sync::{AtomicU32, AtomicU64, Ordering};

/// In the word: somebody is alone; his process stands in [`HOLDER`], his thread above.
const EXCLUSIVE: u64 = 1 << 22;
/// Where the exclusive holder's process stands; also the largest number of one. Otherwise calls are counted here.
pub(crate) const HOLDER: u32 = (1 << 22) - 1;
const PASSAGES: u64 = HOLDER as u64;
/// A thread's mark is a multiple of 64 below 2^47: the word's upper 41 bits.
const MARK_SHIFT: u32 = 17;
/// How long a waiter sleeps before it looks again and asks whether the holder still lives. A holder that opens the gate looks
/// for waiters after a plain store, so one that comes in the very nanoseconds before that may be overlooked, and waits so long.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// See the file's page. All-zero is open.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Gate {
    word: AtomicU64,
    /// Threads that sleep until the word changes. One that is killed in its sleep stays counted: then opening costs a call.
    waiters: AtomicU32,
}

/// Exclusive passage; given back on drop.
#[derive(Debug)]
pub(crate) struct Alone<'a>(&'a Gate);

/// Shared passage for one kernel call; given back on drop.
#[derive(Debug)]
pub(crate) struct Among<'a>(&'a Gate);

/// The word while the calling thread of process `pid` is alone.
#[inline(always)]
fn mine(pid: u32) -> u64 {
    EXCLUSIVE | u64::from(pid) & PASSAGES | process::thread_mark() << MARK_SHIFT
}

impl Gate {
    /// Alone at once, or not at all.
    #[inline(always)]
    pub(crate) fn try_alone(&self, pid: u32) -> Option<Alone<'_>> {
        let free = self.word.compare_exchange(0, mine(pid), Ordering::Acquire, Ordering::Relaxed);
        free.ok().map(|_| Alone(self))
    }

    /// Whether kernel calls are under way, and nobody is alone.
    pub(crate) fn is_passed(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word != 0 && word & EXCLUSIVE == 0
    }

    /// Whether the calling thread is alone: it is a signal handler in the midst of that.
    pub(crate) fn is_own(&self, pid: u32) -> bool {
        self.word.load(Ordering::Relaxed) == mine(pid)
    }

    /// Alone, waiting for another exclusive holder; `None` if kernel calls are under way, which may last for ever, or if
    /// the calling thread is alone already: then it is a signal handler in the midst of that.
    #[inline(always)]
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
            if word & EXCLUSIVE == 0 && word != 0 || word == mine(pid) {
                return None;
            }
            if word == 0 {
                if let Some(alone) = self.try_alone(pid) {
                    return Some(alone);
                }
            } else {
                self.await_change(word, round);
            }
        }
        None
    }

    /// The exclusive holder of `word` may go soon: after a few rounds the waiter sleeps, and takes the gate from one that has
    /// died.
    fn await_change(&self, word: u64, round: u32) {
        if round < 64 {
            return vmmc_sync::spin_loop();
        }
        self.waiters.fetch_add(1, Ordering::SeqCst);
        let slept = futex::wait(self.futex(), word as u32, Some(LOOK_AGAIN));
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        if slept == Ok(futex::Wake::TimedOut) && !process::exists((word & PASSAGES) as u32) {
            let _ = self.word.compare_exchange(word, 0, Ordering::Acquire, Ordering::Relaxed);
        }
    }

    /// The half of the word that changes whenever another passes.
    fn futex(&self) -> &FutexWord {
        // SAFETY: the first half of a live word (these processors store it first); the kernel alone looks at it as such.
        unsafe { FutexWord::from_ptr(self.word.as_ptr().cast()) }
    }

    /// Nobody is alone here any more: `calls` kernel calls are under way.
    #[inline(always)]
    fn open(&self, calls: u64) {
        self.word.store(calls, Ordering::Release);
        // The processor may look first and store then (see `LOOK_AGAIN`); the compiler may not.
        core::sync::atomic::compiler_fence(Ordering::SeqCst);
        if self.waiters.load(Ordering::Relaxed) != 0 {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        let _ = futex::wake(self.futex(), u32::MAX);
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
            } else if word == mine(pid) {
                return None;
            } else {
                self.await_change(word, round);
            }
        }
        Some(Among(self))
    }
}

impl Drop for Alone<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.open(0);
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
        gate.open(1);
        Among(gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(word: u64) -> Gate {
        Gate { word: AtomicU64::new(word), waiters: AtomicU32::new(0) }
    }

    #[test]
    fn a_handler_does_not_wait_for_the_thread_that_it_interrupted() {
        let gate = gate(0);
        let alone = gate.alone(1);
        assert!(alone.is_some() && gate.alone(1).is_none() && gate.among(1).is_none());
        assert!(gate.is_own(1) && !gate.is_own(2));
        drop(alone);
        assert!(gate.among(1).is_some());
    }

    #[test]
    fn calls_pass_together_and_ring_work_alone() {
        let gate = gate(0);
        let (one, two) = (gate.among(1), gate.among(1));
        assert!(gate.alone(1).is_none() && gate.is_passed());
        drop((one, two));
        let alone = gate.alone(1);
        assert!(alone.is_some() && gate.try_alone(1).is_none() && !gate.is_passed());
        drop(alone.map(Alone::among));
        assert!(gate.try_alone(1).is_some());
    }

    #[test]
    fn a_dead_holder_loses_the_gate() {
        let gate = gate(EXCLUSIVE | PASSAGES);
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
