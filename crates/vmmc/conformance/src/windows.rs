//! What every window promises.
use crate::Windows;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use vmmc_contract::{Export, Import, WriteError};

/// Bytes that tell where they stand and in which round they were written.
fn pattern(round: u64, len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(31) ^ i >> 8 ^ round.wrapping_mul(101)) as u8).collect()
}

fn read(export: &impl Export, at: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    assert!(export.read(at, &mut bytes), "{len} bytes at {at} lie inside");
    bytes
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_new_window_is_zero_and_has_its_length<W: Windows>() {
    let (export, import) = W::pair(4096);
    assert_eq!((export.len(), import.len()), (4096, 4096));
    assert!(!export.is_empty() && !import.is_empty());
    assert_eq!(read(&export, 0, 4096), vec![0; 4096]);
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn what_is_written_is_read_and_nothing_beside_it_changes<W: Windows>() {
    let (export, import) = W::pair(4096);
    let mut expected = vec![0; 4096];
    for (round, len) in (0..=130).chain([255, 256, 1000]).enumerate() {
        for at in [0, 1, 7, 8, 13, 64, 2048 + round, 4096 - len] {
            let bytes = pattern(round as u64, len);
            assert_eq!(import.write(at, &bytes), Ok(()));
            expected[at..at + len].copy_from_slice(&bytes);
            assert_eq!(read(&export, at, len), bytes, "{len} bytes at {at}");
        }
        assert_eq!(read(&export, 0, 4096), expected, "after writes of {len} bytes");
    }
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn what_was_written_is_had_back<W: Windows>() {
    let (_export, import) = W::pair(4096);
    for (round, len) in [0, 1, 7, 64, 65, 1000, 4096].into_iter().enumerate() {
        let (bytes, mut back) = (pattern(round as u64, len), vec![0xee; len]);
        assert_eq!(import.write(4096 - len, &bytes), Ok(()));
        assert!(import.read_back(4096 - len, &mut back));
        assert_eq!(back, bytes, "{len} bytes");
    }
    for (at, len) in [(4096, 1), (4095, 2), (usize::MAX, 1), (1 << 63, 8)] {
        assert!(!import.read_back(at, &mut vec![0; len]), "{len} bytes at {at}");
    }
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_word_and_its_bytes_are_the_same_memory<W: Windows>() {
    let (export, import) = W::pair(64);
    import.store(56, 0x0102_0304_0506_0708).unwrap();
    assert_eq!(read(&export, 56, 8), [8, 7, 6, 5, 4, 3, 2, 1]);
    import.write(57, &[0xff]).unwrap();
    assert_eq!(export.load(56), 0x0102_0304_0506_ff08);
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn an_update_that_does_not_fit_is_refused_whole<W: Windows>() {
    let (export, import) = W::pair(256);
    for (at, len) in [(256, 1), (255, 2), (0, 257), (192, 65), (usize::MAX, 1), (usize::MAX - 3, 8), (1 << 63, 200)] {
        assert_eq!(import.write(at, &vec![1; len]), Err(WriteError::OutOfBounds), "{len} bytes at {at}");
        assert!(!export.read(at, &mut vec![1; len]), "{len} bytes at {at}");
        assert!(!export.keep(at, &vec![1; len]), "{len} bytes at {at}");
    }
    for at in [256, 264, 1 << 63, usize::MAX - 7] {
        assert_eq!(import.store(at, 1), Err(WriteError::OutOfBounds), "a word at {at}");
        assert_eq!(export.load(at), 0, "a word at {at}");
    }
    assert_eq!(import.write(256, &[]), Ok(()));
    assert_eq!(import.write(257, &[]), Err(WriteError::OutOfBounds));
    assert_eq!(read(&export, 0, 256), vec![0; 256], "nothing arrived");
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn what_is_foreseen_changes_nothing<W: Windows>() {
    let (export, import) = W::pair(4096);
    let bytes = pattern(1, 4096);
    import.write(0, &bytes).unwrap();
    for at in [0, 1, 4095, 4096, 1 << 63, usize::MAX] {
        import.foresee(at);
    }
    assert_eq!(read(&export, 0, 4096), bytes);
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_word_off_its_place_is_refused_and_reads_as_zero<W: Windows>() {
    let (export, import) = W::pair(64);
    import.write(0, &[0xff; 64]).unwrap();
    for at in [1, 4, 12, 57, 63] {
        assert_eq!(import.store(at, 0), Err(WriteError::Misaligned), "a word at {at}");
        assert_eq!(export.load(at), 0, "a word at {at}");
    }
    assert_eq!(read(&export, 0, 64), [0xff; 64]);
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn the_owner_keeps_data_beside_the_importers<W: Windows>() {
    let (export, import) = W::pair(256);
    import.write(0, &[1; 128]).unwrap();
    assert!(export.keep(100, &[2; 100]));
    import.write(199, &[3; 57]).unwrap();
    let expected = [&[1u8; 100][..], &[2; 99], &[3; 57]].concat();
    assert_eq!(read(&export, 0, 256), expected);
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn data_arrives_before_the_word_that_follows_it<W: Windows>() {
    const ROUNDS: u64 = 3_000;
    let (export, import) = W::pair(4096);
    let (back, forth) = W::pair(8);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                import.write(8, &pattern(round, 1 + (round as usize * 7) % 600)).unwrap();
                import.store(0, round).unwrap();
                await_word(&back, 0, round);
            }
        });
        for round in 1..=ROUNDS {
            await_word(&export, 0, round);
            let len = 1 + (round as usize * 7) % 600;
            assert!(read(&export, 8, len) == pattern(round, len), "round {round}");
            forth.store(0, round).unwrap();
        }
    });
}

fn await_word(export: &impl Export, at: usize, value: u64) {
    while export.load(at) != value {
        thread::yield_now();
    }
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn words_arrive_in_their_order<W: Windows>() {
    const LAST: u64 = 50_000;
    let (export, import) = W::pair(128);
    thread::scope(|scope| {
        scope.spawn(|| {
            for value in 1..=LAST {
                import.store(0, value).unwrap();
                import.store(64, value).unwrap();
            }
        });
        loop {
            let second = export.load(64);
            let first = export.load(0);
            assert!(first >= second, "the second word overtook the first: {second} > {first}");
            if second == LAST {
                break;
            }
        }
    });
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_megabyte_arrives_whole<W: Windows>() {
    let (export, import) = W::pair(2 << 20);
    let bytes = pattern(9, 1 << 20);
    import.write(12_345, &bytes).unwrap();
    assert!(read(&export, 12_345, 1 << 20) == bytes);
}

/// Several writers scribble over each other, and a reader reads: any bytes may be seen, and the words of the line that
/// nobody scribbles on stay as they are.
pub fn hostile_writes_harm_nobody<W: Windows>() {
    let (export, import) = W::pair(4096);
    import.store(4088, 42).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..2u64 {
            let (import, done) = (&import, &done);
            scope.spawn(move || {
                let bytes = pattern(writer, 300);
                for round in 0..5_000usize {
                    let at = (round * 53 + writer as usize) % 3_700;
                    import.write(at, bytes.get(..round % 300).unwrap_or_default()).unwrap();
                    import.store(round % 400 * 8, u64::MAX).unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
        }
        while !done.load(Ordering::Relaxed) {
            read(&export, 1, 4000);
            export.load(128);
            assert_eq!(export.load(4088), 42);
        }
    });
}
