//! A small lock for what one process keeps of its epoll sets: no allocation, no poisoning, no symbol of libc's.
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use vmmc_os::{futex, process};
use vmmc_sync::{AtomicU32, AtomicU64, Ordering, spin_loop};

const FREE: u32 = 0;
const HELD: u32 = 1;
const AWAITED: u32 = 2;

/// A value that one thread at a time reaches.
pub(crate) struct Lock<T> {
    state: AtomicU32,
    /// The holder's thread, or 0.
    thread: AtomicU64,
    /// How often the holder has acquired it beyond the first time.
    again: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the state word lets one thread at a time reach the value, which may then as well have been moved to it.
unsafe impl<T: Send> Sync for Lock<T> {}

/// Reach to the value, until dropped.
pub(crate) struct Held<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            state: AtomicU32::new(FREE),
            thread: AtomicU64::new(0),
            again: AtomicU32::new(0),
            value: UnsafeCell::new(value),
        }
    }

    #[inline]
    pub(crate) fn hold(&self) -> Held<'_, T> {
        self.wait();
        Held(self)
    }

    /// The calling thread holds it, so this is a signal handler in the midst of that: it would wait for ever.
    pub(crate) fn is_own(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == process::thread_mark()
    }

    /// Without a guard, for fork: the child's copy of the state must be one that it can give back. A signal handler that
    /// forks may have interrupted the holder, and acquires it again.
    pub(crate) fn acquire(&self) {
        if self.is_own() {
            self.again.store(self.again.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        } else {
            self.wait();
        }
    }

    fn wait(&self) {
        self.take();
        self.thread.store(process::thread_mark(), Ordering::Relaxed);
    }

    fn take(&self) {
        if self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            return;
        }
        for _ in 0..100 {
            if self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
            spin_loop();
        }
        while self.state.swap(AWAITED, Ordering::Acquire) != FREE {
            let _ = futex::wait(&self.state, AWAITED, None);
        }
    }

    /// In a forked child, whose parent's other threads may have held it: nobody does.
    pub(crate) fn open(&self) {
        self.thread.store(0, Ordering::Relaxed);
        self.again.store(0, Ordering::Relaxed);
        self.state.store(FREE, Ordering::Release);
    }

    /// The other half of [`Lock::acquire`].
    pub(crate) fn give_back(&self) {
        let again = self.again.load(Ordering::Relaxed);
        if again > 0 {
            self.again.store(again - 1, Ordering::Relaxed);
            return;
        }
        self.thread.store(0, Ordering::Relaxed);
        if self.state.swap(FREE, Ordering::Release) == AWAITED {
            let _ = futex::wake(&self.state, 1);
        }
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this guard exists only while its thread alone holds the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`, and the guard is borrowed exclusively.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_within_a_fork_acquires_again_and_a_handler_can_tell() {
        let lock = Lock::new(());
        lock.acquire();
        lock.acquire();
        assert!(lock.is_own());
        lock.give_back();
        assert!(lock.is_own());
        lock.give_back();
        assert!(!lock.is_own());
        drop(lock.hold());
    }
}
