//! What arrives from another process is not believed: descriptors, headers, grants.
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use vmmc_contract::{Export, Import, Permission};
use vmmc_os::kernel;
use vmmc_shm::{ExportedBuffer, GRANTS_MAX, Grant, GrantError, GrantedImport, Segment, SegmentError};

fn owned(fd: i32) -> OwnedFd {
    assert!(fd >= 0);
    // SAFETY: the callers have just opened it and give it away.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn memory_file(flags: u32) -> OwnedFd {
    // SAFETY: the name is a string with its NUL, and no other memory is involved.
    owned(unsafe { libc::memfd_create(c"test".as_ptr(), flags) })
}

fn resize(fd: &OwnedFd, len: i64) -> i32 {
    // SAFETY: no memory is involved, and nobody has mapped the file.
    unsafe { libc::ftruncate(fd.as_raw_fd(), len) }
}

fn seal(fd: &OwnedFd) -> i32 {
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: no memory is involved.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) }
}

fn bell() -> OwnedFd {
    owned(kernel::eventfd().unwrap())
}

#[test]
fn memory_that_its_maker_could_still_shrink_is_not_mapped() {
    let file = memory_file(libc::MFD_ALLOW_SEALING);
    assert_eq!(resize(&file, 8192), 0);
    assert_eq!(Segment::map(file.as_raw_fd()), Err(SegmentError::Unsealed));
    assert_eq!(Segment::map(bell().as_raw_fd()), Err(SegmentError::Unsealed));
    assert!(matches!(Segment::map(-1), Err(SegmentError::Kernel(_))));
    assert_eq!(seal(&file), 0);
    assert_eq!(Segment::map(file.as_raw_fd()).map(|segment| segment.len()), Ok(8192));
}

#[test]
fn memory_in_huge_pages_is_not_mapped() {
    let file = memory_file(libc::MFD_ALLOW_SEALING | libc::MFD_HUGETLB);
    assert_eq!((resize(&file, 2 << 20), seal(&file)), (0, 0));
    assert_eq!(Segment::map(file.as_raw_fd()), Err(SegmentError::Unsealed));
}

#[test]
fn a_segment_without_bytes_or_with_too_many_is_not_made_and_not_mapped() {
    assert_eq!(Segment::create(0).err(), Some(SegmentError::Length));
    assert_eq!(Segment::create(usize::MAX).err(), Some(SegmentError::Length));
    let file = memory_file(libc::MFD_ALLOW_SEALING);
    assert_eq!(seal(&file), 0);
    assert_eq!(Segment::map(file.as_raw_fd()), Err(SegmentError::Length));
}

#[test]
fn a_window_that_does_not_lie_inside_its_segment_is_not_made() {
    let (segment, fd) = Segment::create(5000).unwrap();
    kernel::close(fd).unwrap();
    assert_eq!(segment.len(), 8192);
    assert!(segment.export(0, 8192).is_some());
    assert!(segment.export(8, 8192).is_none());
    assert!(segment.export(4, 8).is_none());
    assert!(segment.import(usize::MAX - 7, 16).is_none());
    assert!(segment.export(64, 64).unwrap().part(56, 16).is_none());
    assert!(segment.import(64, 64).unwrap().part(56, 8).is_some());
}

#[test]
fn a_hole_reads_as_zeroes_and_reaches_no_further_than_whole_pages_inside() {
    let (segment, fd) = Segment::create(4 * 4096).unwrap();
    kernel::close(fd).unwrap();
    let (export, import) = (segment.export(0, 4 * 4096).unwrap(), segment.import(0, 4 * 4096).unwrap());
    for at in [0, 4096, 8192, 12288] {
        import.store(at, 1).unwrap();
    }
    segment.punch_hole(1..12287).unwrap();
    assert_eq!([0, 4096, 8192, 12288].map(|at| export.load(at)), [1, 0, 1, 1]);
    assert_eq!(segment.punch_hole(0..4 * 4096 + 1), Ok(()));
    assert_eq!(segment.punch_hole(0..5 * 4096), Err(SegmentError::Length));
}

#[test]
fn memory_that_is_no_buffer_is_not_imported() {
    let (segment, fd) = Segment::create(8192).unwrap();
    let again = || owned(kernel::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0).unwrap() as i32);
    let accept = || GrantedImport::accept(Grant::from_parts(again(), bell(), 0)).err();
    assert_eq!(accept(), Some(GrantError::NotABuffer));
    let header = segment.import(0, 4096).unwrap();
    header.write(0, b"vmmcbuf\x01").unwrap();
    for lie in [0, 4097, u64::MAX] {
        header.store(8, lie).unwrap();
        assert_eq!(accept(), Some(GrantError::NotABuffer), "a buffer of {lie} bytes");
    }
    header.store(8, 4096).unwrap();
    assert_eq!(accept(), Some(GrantError::Revoked));
}

#[test]
fn a_grant_that_was_never_made_or_is_no_more_is_not_imported() {
    let buffer = ExportedBuffer::create(64, 0).unwrap();
    let accept = |grant| GrantedImport::accept(grant).map(drop);
    let forged = |number| Grant { number, ..buffer.grant(Permission::Write).unwrap() };
    for number in [100, GRANTS_MAX, u32::MAX] {
        assert_eq!(accept(forged(number)), Err(GrantError::Revoked), "grant {number}");
        assert!(!buffer.revoke(number));
    }
    let grant = buffer.grant(Permission::Write).unwrap();
    assert!(buffer.revoke(grant.number));
    assert_eq!(accept(grant), Err(GrantError::Revoked));
}

#[test]
fn read_only_memory_with_the_number_of_another_grant_is_not_imported() {
    let buffer = ExportedBuffer::create(64, 0).unwrap();
    let writer = buffer.grant(Permission::Write).unwrap();
    let reader = buffer.grant(Permission::ReadOnly).unwrap();
    let forged = Grant { number: writer.number, ..reader };
    assert_eq!(GrantedImport::accept(forged).map(drop), Err(GrantError::NotABuffer));
}

#[test]
fn a_buffer_makes_so_many_grants_and_no_more() {
    let buffer = ExportedBuffer::create(64, 0).unwrap();
    for _ in 0..GRANTS_MAX {
        drop(buffer.grant(Permission::Write).unwrap());
    }
    assert_eq!(buffer.grant(Permission::Write).map(drop), Err(GrantError::Full));
}

#[test]
fn an_importer_outlives_the_exporter_and_harms_nobody() {
    let buffer = ExportedBuffer::create(64, 0).unwrap();
    let import = GrantedImport::accept(buffer.grant(Permission::Write).unwrap()).unwrap();
    drop(buffer);
    assert_eq!(import.store(0, 1), Ok(()));
    assert_eq!(import.notify(), Ok(()));
}
