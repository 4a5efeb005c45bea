//! Delay, and loss of the peer, are under the test's hand.
#![cfg(not(loom))]
use vmmc_contract::{Export, Import, Redirect, WriteError};
use vmmc_sim::{SimBuffer, Timing};

#[test]
fn a_delayed_update_arrives_when_the_test_says_so_and_in_order() {
    let buffer = SimBuffer::delayed(64);
    let (export, import) = (buffer.export(8, 56).unwrap(), buffer.import(8, 56).unwrap());
    import.write(8, b"abc").unwrap();
    import.store(0, 3).unwrap();
    import.notify().unwrap();
    assert_eq!((export.load(0), export.load(8), buffer.in_flight()), (0, 0, 3));
    assert_eq!(buffer.deliver(1), 1);
    assert_eq!((export.load(0), export.load(8)), (0, u64::from_le_bytes(*b"abc\0\0\0\0\0")));
    assert!(!buffer.take_notification());
    assert_eq!(buffer.deliver_all(), 2);
    assert_eq!(export.load(0), 3);
    assert!(buffer.take_notification());
    assert_eq!(buffer.deliver(5), 0);
}

#[test]
fn a_bad_update_is_refused_at_once_even_if_it_would_be_delayed() {
    let buffer = SimBuffer::delayed(64);
    let import = buffer.import(8, 40).unwrap();
    assert_eq!(import.write(40, b"a"), Err(WriteError::OutOfBounds));
    assert_eq!(import.store(4, 1), Err(WriteError::Misaligned));
    assert_eq!(buffer.in_flight(), 0);
}

#[test]
fn what_a_lost_peer_had_sent_never_arrives_and_it_sends_nothing_more() {
    let buffer = SimBuffer::delayed(64);
    let import = buffer.import(0, 64).unwrap();
    import.store(0, 1).unwrap();
    buffer.lose_peer();
    assert_eq!(import.store(0, 2), Err(WriteError::Revoked));
    assert_eq!(buffer.deliver_all(), 0);
    assert_eq!(buffer.load(0), 0);
}

#[test]
fn delayed_data_is_redirected_when_it_arrives() {
    let buffer = SimBuffer::with(Timing::Delayed, 64, 16);
    let import = buffer.import(0, 64).unwrap();
    import.write(0, &[1; 32]).unwrap();
    buffer.redirect(8, 16, 0).unwrap();
    buffer.deliver_all();
    let mut landed = [0; 16];
    assert!(buffer.read_destination(0, &mut landed));
    assert_eq!(landed, [1; 16]);
    assert_eq!((buffer.load(8), buffer.load(24)), (0, u64::from_ne_bytes([1; 8])));
}

#[test]
fn a_window_that_does_not_lie_inside_is_not_made() {
    let buffer = SimBuffer::new(64);
    assert!(buffer.export(0, 65).is_none());
    assert!(buffer.export(4, 8).is_none());
    assert!(buffer.import(72, 0).is_none());
    assert!(buffer.import(8, usize::MAX).is_none());
}
