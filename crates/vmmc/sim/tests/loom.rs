//! Under loom the simulated buffer is memory whose every access is explored: it orders what the contract orders, and
//! nothing else.
#![cfg(loom)]
use loom::thread;
use vmmc_contract::{Export, Import};
use vmmc_sim::SimBuffer;

#[test]
fn data_is_visible_once_the_word_after_it_is() {
    loom::model(|| {
        let buffer = SimBuffer::new(32);
        let (export, import) = (buffer.export(0, 32).unwrap(), buffer.import(0, 32).unwrap());
        let sender = thread::spawn(move || {
            import.write(13, b"hello").unwrap();
            import.store(0, 1).unwrap();
        });
        let mut data = [0; 5];
        if export.load(0) == 1 {
            assert!(export.read(13, &mut data));
            assert_eq!(&data, b"hello");
        }
        sender.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "torn")]
fn data_is_torn_without_the_word() {
    loom::model(|| {
        let buffer = SimBuffer::new(32);
        let (export, import) = (buffer.export(0, 32).unwrap(), buffer.import(0, 32).unwrap());
        let sender = thread::spawn(move || import.write(13, b"hello").unwrap());
        let mut data = [0; 5];
        assert!(export.read(13, &mut data));
        assert!(data == [0; 5] || &data == b"hello", "torn");
        sender.join().unwrap();
    });
}
