//! A limit on everything.

use std::time::Duration;

/// Offers that one process may have pending; more are refused.
pub(crate) const OFFERS_PER_CLIENT_MAX: usize = 64 * 1024;
/// Messages that may wait for a process that does not read; then it is dropped. Room for the answer to every offer twice.
pub(crate) const QUEUE_MAX: usize = 2 * OFFERS_PER_CLIENT_MAX;
/// Trials at one time, and so sockets of which the broker holds a duplicate; further ones wait.
pub(crate) const TRIALS_MAX: usize = 256;
/// Descriptors of the broker's own, of connections that it is about to take in and of sockets on their way to it: no user's.
pub(crate) const DESCRIPTORS_RESERVED: usize = TRIALS_MAX + LINGERING_MAX + ACCEPTS_PER_TURN + 64;
/// Descriptors that a process may cost: its connection, its bell, its table.
pub(crate) const DESCRIPTORS_PER_CLIENT: usize = 3;
/// How long a duplicate is held for a trial. Meanwhile a process that dies keeps its connection open, so it is short.
pub(crate) const TRIAL_TIME: Duration = Duration::from_millis(100);
/// Sockets that are closed beside the loop at one time, each by a thread that may wait as long as their owners wished.
pub(crate) const LINGERING_MAX: usize = 64;
/// Messages read from one process before the others get their turn.
pub(crate) const MESSAGES_PER_TURN: usize = 64;
/// Connections taken in before those that are there get their turn.
pub(crate) const ACCEPTS_PER_TURN: usize = 64;
/// How long a starter waits until the broker that it started answers.
pub(crate) const START_TIME: Duration = Duration::from_secs(2);

const _: () = assert!(QUEUE_MAX > OFFERS_PER_CLIENT_MAX);
