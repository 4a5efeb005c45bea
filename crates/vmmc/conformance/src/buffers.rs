//! What every granted buffer promises.
use crate::Provider;
use std::thread;
use std::time::{Duration, Instant};
use vmmc_contract::{Export, Import, Permission, REDIRECTIONS_MAX, Redirect, RedirectError, WriteError};

/// Long enough for a thread to be scheduled on a loaded machine.
const SOON: Duration = Duration::from_secs(10);

fn read(export: &impl Export, at: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    assert!(export.read(at, &mut bytes));
    bytes
}

fn destination(provider: &impl Provider, at: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    provider.destination(at, &mut bytes);
    bytes
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_grant_for_writing_writes<P: Provider>() {
    let provider = P::create(1000, 0);
    let import = provider.import(Permission::Write);
    assert_eq!((provider.export().len(), import.len()), (1000, 1000));
    import.write(995, b"hello").unwrap();
    import.store(8, 7).unwrap();
    assert_eq!(read(provider.export(), 995, 5), b"hello");
    assert_eq!(provider.export().load(8), 7);
    assert_eq!(import.write(996, b"hello"), Err(WriteError::OutOfBounds));
    assert_eq!(import.store(1000, 7), Err(WriteError::OutOfBounds));
    assert_eq!(import.store(9, 7), Err(WriteError::Misaligned));
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_read_only_grant_notifies_and_never_writes<P: Provider>() {
    let provider = P::create(4096, 0);
    let import = provider.import(Permission::ReadOnly);
    assert_eq!(import.write(0, b"hello"), Err(WriteError::ReadOnly));
    assert_eq!(import.store(0, 7), Err(WriteError::ReadOnly));
    assert_eq!(read(provider.export(), 0, 4096), vec![0; 4096]);
    assert_eq!(import.notify(), Ok(()));
    assert!(provider.notified(SOON));
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_revoked_import_writes_no_more_and_the_others_do<P: Provider>() {
    let provider = P::create(64, 0);
    let (first, second) = (provider.import(Permission::Write), provider.import(Permission::Write));
    first.store(0, 1).unwrap();
    provider.revoke(&first);
    assert_eq!(first.store(0, 2), Err(WriteError::Revoked));
    assert_eq!(first.write(0, &[2; 64]), Err(WriteError::Revoked));
    assert_eq!(first.notify(), Err(WriteError::Revoked));
    assert_eq!(provider.export().load(0), 1);
    assert!(!provider.notified(Duration::ZERO));
    assert_eq!(second.store(0, 3), Ok(()));
    assert_eq!(provider.export().load(0), 3);
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_grant_after_a_revocation_is_a_new_one<P: Provider>() {
    let provider = P::create(64, 0);
    let old = provider.import(Permission::Write);
    provider.revoke(&old);
    let new = provider.import(Permission::Write);
    assert_eq!(new.store(0, 1), Ok(()));
    assert_eq!(old.store(0, 2), Err(WriteError::Revoked));
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_notification_wakes_a_sleeper_who_then_sees_the_data<P: Provider>() {
    let provider = P::create(4096, 0);
    let import = provider.import(Permission::Write);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(5));
            import.write(8, &[7; 100]).unwrap();
            import.store(0, 100).unwrap();
            import.notify().unwrap();
        });
        assert!(provider.notified(SOON));
        assert_eq!(provider.export().load(0), 100);
        assert_eq!(read(provider.export(), 8, 100), [7; 100]);
    });
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn notifications_merge_and_are_taken_once<P: Provider>() {
    let provider = P::create(64, 0);
    let import = provider.import(Permission::Write);
    for _ in 0..100 {
        import.notify().unwrap();
    }
    assert!(provider.notified(SOON));
    assert!(!provider.notified(Duration::ZERO));
    import.notify().unwrap();
    assert!(provider.notified(SOON));
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn without_a_notification_the_wait_ends_in_time<P: Provider>() {
    let provider = P::create(64, 0);
    provider.import(Permission::Write).store(0, 1).unwrap();
    let start = Instant::now();
    assert!(!provider.notified(Duration::from_millis(10)));
    assert!((Duration::from_millis(10)..SOON).contains(&start.elapsed()));
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn redirected_data_lands_in_its_final_place<P: Provider>() {
    let provider = P::create(4096, 1024);
    let import = provider.import(Permission::Write);
    provider.export().redirect(1000, 500, 24).unwrap();
    let bytes: Vec<u8> = (0..1000).map(|i| (i % 251) as u8).collect();
    import.write(700, &bytes).unwrap();
    provider.arrived(700, 1000);
    assert_eq!(provider.export().end_redirect(1000), Some(500));
    assert_eq!(destination(&provider, 24, 500), bytes[300..800]);
    assert_eq!(destination(&provider, 0, 24), [0; 24]);
    assert_eq!(destination(&provider, 524, 500), [0; 500]);
    assert_eq!(read(provider.export(), 700, 300), bytes[..300], "what comes before is in the default buffer");
    assert_eq!(read(provider.export(), 1500, 200), bytes[800..], "and so is what comes after");
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_redirection_taken_back_early_tells_how_much_had_landed<P: Provider>() {
    let provider = P::create(4096, 1024);
    let import = provider.import(Permission::Write);
    provider.export().redirect(0, 1024, 0).unwrap();
    for at in [0, 100] {
        import.write(at, &[1; 100]).unwrap();
        provider.arrived(at, 100);
    }
    assert_eq!(provider.export().end_redirect(8), None, "another one");
    assert_eq!(provider.export().end_redirect(0), Some(200));
    assert_eq!(provider.export().end_redirect(0), None, "it has ended");
    import.write(200, &[2; 100]).unwrap();
    provider.arrived(200, 100);
    assert_eq!(destination(&provider, 0, 300), [[1; 200].as_slice(), &[0; 100]].concat());
    assert_eq!(read(provider.export(), 200, 100), [2; 100], "later data is in the default buffer");
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_redirection_is_one_shot<P: Provider>() {
    let provider = P::create(4096, 64);
    let import = provider.import(Permission::Write);
    provider.export().redirect(64, 64, 0).unwrap();
    for round in 1..=2 {
        import.write(64, &[round; 64]).unwrap();
        provider.arrived(64, 64);
    }
    assert_eq!(destination(&provider, 0, 64), [1; 64]);
    assert_eq!(read(provider.export(), 64, 64), [2; 64]);
    assert_eq!(provider.export().end_redirect(64), Some(64));
}

#[allow(missing_docs, reason = "the name is the sentence")]
pub fn a_redirection_that_cannot_be_is_refused<P: Provider>() {
    let provider = P::create(1000, 100);
    let export = provider.export();
    assert_eq!(export.redirect(901, 100, 0), Err(RedirectError::OutOfBounds));
    assert_eq!(export.redirect(0, 100, 1), Err(RedirectError::OutOfBounds));
    assert_eq!(export.redirect(usize::MAX, 2, 0), Err(RedirectError::OutOfBounds));
    assert_eq!(export.redirect(0, 0, 0), Err(RedirectError::OutOfBounds));
    assert_eq!(export.redirect(0, 2, 0), Ok(()));
    assert_eq!(export.redirect(1, 2, 50), Err(RedirectError::Overlap));
    for i in 1..REDIRECTIONS_MAX {
        assert_eq!(export.redirect(10 * i, 2, 2 * i), Ok(()));
    }
    assert_eq!(export.redirect(900, 2, 90), Err(RedirectError::Full));
    assert_eq!(export.end_redirect(0), Some(0));
    assert_eq!(export.redirect(900, 2, 90), Ok(()));
}
