use vmmc_sync::{AtomicU64, Ordering};

/// A word of an end's own position: only the holder of the stream's gate changes it, others may look.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Own(AtomicU64);

impl Own {
    pub(crate) fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }
    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    #[inline(always)]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
    /// As `get`; what was done before the `set_release` of this value is done.
    #[inline(always)]
    pub(crate) fn get_acquire(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
    #[inline(always)]
    pub(crate) fn set_release(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }
}

/// The sender's own position in a stream. All-zero bytes are a stream that has not begun (capacity 0: not paired).
#[derive(Debug)]
#[repr(C)]
pub struct SendState {
    /// Ring capacity in bytes, a power of two; 0 while not paired.
    pub(crate) capacity: Own,
    /// Bytes of the ring in use, a power of two; the rest is not touched. It widens while the ring is empty.
    pub(crate) window: Own,
    /// 1 once something did not fit into the window: nothing is put until it is empty and can widen.
    pub(crate) narrow: Own,
    /// Bytes sent on the kernel road, doorbells included.
    pub(crate) kernel: Own,
    /// Bytes put into the ring.
    pub(crate) tail: Own,
    /// The credit last seen; at most `tail`.
    pub(crate) credit: Own,
    pub(crate) epoch: Own,
    pub(crate) switch_at: Own,
    /// Doorbells sent since `switch_at`.
    pub(crate) rung: Own,
    /// The `armed` word that was last answered.
    pub(crate) rung_for: Own,
    /// The last retract that was answered.
    pub(crate) answered: Own,
    /// The retract for which this end holds (0: none).
    pub(crate) awaited: Own,
    /// Bytes taken out of the return area and put on the kernel road, and the most that there can ever be.
    pub(crate) retaken: Own,
    pub(crate) retaken_most: Own,
    /// Credit for the opposite stream that travelled with the last put.
    pub(crate) along: Own,
}

/// The receiver's own position in a stream. All-zero bytes are a stream that has not begun.
#[derive(Debug)]
#[repr(C)]
pub struct RecvState {
    pub(crate) capacity: Own,
    /// Bytes received on the kernel road, doorbells and stashed bytes included.
    pub(crate) kernel: Own,
    /// Bytes taken from the ring.
    pub(crate) head: Own,
    /// The credit last told to the sender by this end's receiver (its sender may have told more).
    pub(crate) credit: Own,
    /// Last completed epoch.
    pub(crate) epoch: Own,
    pub(crate) switch_at: Own,
    /// The `armed` word last written: odd while a doorbell is believed to be coming.
    pub(crate) armed: Own,
    /// 1 once this end honours a switch.
    pub(crate) ready: Own,
    pub(crate) stash_at: Own,
    pub(crate) stash_len: Own,
    /// How often this end has asked for the stream back, and the last of these that is over.
    pub(crate) retracts: Own,
    pub(crate) released: Own,
    /// Bytes ever given back, and those of them since the last retract.
    pub(crate) returned: Own,
    pub(crate) given: Own,
}

impl SendState {
    /// A stream that has not begun.
    #[must_use]
    pub fn new() -> Self {
        let zero = || Own::new(0);
        Self {
            capacity: zero(),
            window: zero(),
            narrow: zero(),
            kernel: zero(),
            tail: zero(),
            credit: zero(),
            epoch: zero(),
            switch_at: zero(),
            rung: zero(),
            rung_for: zero(),
            answered: zero(),
            awaited: zero(),
            retaken: zero(),
            retaken_most: zero(),
            along: zero(),
        }
    }
    /// Begins anew with `kernel` bytes already sent on the kernel road.
    pub fn reset(&self, kernel: u64) {
        for word in [
            &self.capacity,
            &self.tail,
            &self.credit,
            &self.epoch,
            &self.switch_at,
            &self.rung,
            &self.rung_for,
            &self.answered,
            &self.awaited,
            &self.retaken,
            &self.retaken_most,
            &self.along,
        ] {
            word.set(0);
        }
        self.kernel.set(kernel);
    }
    /// Rings of `capacity` bytes (a power of two) stand behind the stream from now on.
    pub fn pair(&self, capacity: u64) {
        self.capacity.set(capacity);
        self.window.set(crate::layout::first_window(capacity));
        self.narrow.set(0);
    }
    /// Counts `n` bytes that a kernel call has sent. Any thread; no gate needed.
    #[inline]
    pub fn sent_by_kernel(&self, n: u64) {
        self.kernel.add(n);
    }
    /// Bytes sent on the kernel road, doorbells included.
    #[must_use]
    pub fn kernel_bytes(&self) -> u64 {
        self.kernel.get()
    }
    /// The road of the next byte.
    #[must_use]
    #[inline]
    pub fn road(&self) -> crate::Road {
        crate::Road::of(self.epoch.get())
    }
    /// Whether this end holds: given-back bytes are to be sent before anything else.
    #[must_use]
    #[inline]
    pub fn owes_return(&self) -> bool {
        self.awaited.get() != 0
    }
}

impl RecvState {
    /// A stream that has not begun.
    #[must_use]
    pub fn new() -> Self {
        let zero = || Own::new(0);
        Self {
            capacity: zero(),
            kernel: zero(),
            head: zero(),
            credit: zero(),
            epoch: zero(),
            switch_at: zero(),
            armed: zero(),
            ready: zero(),
            stash_at: zero(),
            stash_len: zero(),
            retracts: zero(),
            released: zero(),
            returned: zero(),
            given: zero(),
        }
    }
    /// Begins anew with `kernel` bytes already received on the kernel road.
    pub fn reset(&self, kernel: u64) {
        for word in [
            &self.capacity,
            &self.head,
            &self.credit,
            &self.epoch,
            &self.switch_at,
            &self.armed,
            &self.ready,
            &self.stash_at,
            &self.stash_len,
            &self.retracts,
            &self.released,
            &self.returned,
            &self.given,
        ] {
            word.set(0);
        }
        self.kernel.set(kernel);
    }
    /// Rings of `capacity` bytes (a power of two) stand behind the stream from now on.
    pub fn pair(&self, capacity: u64) {
        self.capacity.set(capacity);
    }
    /// Counts `n` bytes that a kernel call has received while no switch was possible. Any thread; no gate needed.
    #[inline]
    pub fn received_by_kernel(&self, n: u64) {
        self.kernel.add(n);
    }
    /// Bytes received on the kernel road, doorbells included.
    #[must_use]
    pub fn kernel_bytes(&self) -> u64 {
        self.kernel.get()
    }
    /// The road of the next byte, as far as the receiver has come.
    #[must_use]
    #[inline]
    pub fn road(&self) -> crate::Road {
        crate::Road::of(self.epoch.get())
    }
    /// Whether this end has said that it honours a switch.
    #[must_use]
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.ready.get() != 0
    }
    /// Whether a doorbell is believed to come at the next change.
    #[must_use]
    #[inline]
    pub fn is_armed(&self) -> bool {
        self.armed.get() & 1 == 1
    }
}

impl Default for SendState {
    fn default() -> Self {
        Self::new()
    }
}
impl Default for RecvState {
    fn default() -> Self {
        Self::new()
    }
}
