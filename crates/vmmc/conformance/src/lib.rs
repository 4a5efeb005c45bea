//! The tests that every VMMC provider passes: what the contract's words promise, said as things that can be seen to fail.
//!
//! It knows no provider. A provider's `tests/conformance.rs` says how its windows and buffers are made ([`Windows`],
//! [`Provider`]) and calls [`window_tests!`] and [`buffer_tests!`]. It stands on the contract alone.
#![forbid(unsafe_code)]

pub mod buffers;
pub mod windows;

use std::time::Duration;
use vmmc_contract::{Export, Import, Permission, Redirect};

/// A provider's exported window and an import of it.
pub trait Windows: Sync {
    /// The receiver's end.
    type Export: Export + Send + Sync;
    /// The sender's end.
    type Import: Import + Send + Sync;

    /// A new window of `len` zero bytes, both ends.
    fn pair(len: usize) -> (Self::Export, Self::Import);
}

/// A provider's buffer: exported here, granted, revoked, notified and redirected. Tests run in one process.
pub trait Provider: Sync + Sized {
    /// The buffer as the exporter sees it.
    type Export: Export + Redirect + Sync;
    /// A granted import.
    type Import: Import + Send + Sync;

    /// A buffer of `len` zero bytes with a destination of `destination` zero bytes.
    fn create(len: usize, destination: usize) -> Self;
    /// The exporter's end.
    fn export(&self) -> &Self::Export;
    /// A new grant, imported.
    fn import(&self, permission: Permission) -> Self::Import;
    /// Takes the grant of `import` back.
    fn revoke(&self, import: &Self::Import);
    /// Whether a notification came within `timeout`, or since the last call.
    fn notified(&self, timeout: Duration) -> bool;
    /// What the exporter does when its protocol has told it that the data `[at, at + len)` has arrived.
    fn arrived(&self, at: usize, len: usize);
    /// Copies from `at` of the destination buffer.
    fn destination(&self, at: usize, dst: &mut [u8]);
}

/// Makes a `#[test]` of each function of the list.
#[macro_export]
#[doc(hidden)]
macro_rules! tests {
    ($provider:ty, $room:ident, $($name:ident)*) => { $(
        #[test]
        fn $name() {
            $crate::$room::$name::<$provider>();
        }
    )* };
}

/// The tests of a type that implements [`Windows`].
#[macro_export]
macro_rules! window_tests {
    ($provider:ty) => {
        $crate::tests! { $provider, windows,
            a_new_window_is_zero_and_has_its_length
            what_is_written_is_read_and_nothing_beside_it_changes
            a_word_and_its_bytes_are_the_same_memory
            an_update_that_does_not_fit_is_refused_whole
            what_is_foreseen_changes_nothing
            a_word_off_its_place_is_refused_and_reads_as_zero
            the_owner_keeps_data_beside_the_importers
            data_arrives_before_the_word_that_follows_it
            words_arrive_in_their_order
            a_megabyte_arrives_whole
            what_was_written_is_had_back
            hostile_writes_harm_nobody
        }
    };
}

/// The tests of a type that implements [`Provider`].
#[macro_export]
macro_rules! buffer_tests {
    ($provider:ty) => {
        $crate::tests! { $provider, buffers,
            a_grant_for_writing_writes
            a_read_only_grant_notifies_and_never_writes
            a_revoked_import_writes_no_more_and_the_others_do
            a_grant_after_a_revocation_is_a_new_one
            a_notification_wakes_a_sleeper_who_then_sees_the_data
            notifications_merge_and_are_taken_once
            without_a_notification_the_wait_ends_in_time
            redirected_data_lands_in_its_final_place
            a_redirection_taken_back_early_tells_how_much_had_landed
            a_redirection_is_one_shot
            a_redirection_that_cannot_be_is_refused
        }
    };
}
