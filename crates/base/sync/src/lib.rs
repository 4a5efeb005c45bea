//! Atomics through one door: the standard library's, or loom's when a model is checked (`--cfg loom`).
//!
//! It does no locking and knows no protocol. Everybody who shares memory calls it. It stands on `core` alone.
#![forbid(unsafe_code)]

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(not(loom))]
pub use core::hint::spin_loop;
#[cfg(loom)]
pub use loom::hint::spin_loop;
