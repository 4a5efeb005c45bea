//! Shared memory: sealed memory files, and mappings of them.
//!
//! A memory file that another process will write is sealed against shrinking before anybody maps it: a page that a peer
//! could cut off would be a SIGBUS in whoever reads it next. One that arrives from a peer is looked at before it is mapped.
use super::kernel::{Result, call, close, syscall6};
use crate::Errno;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::io::Write as _;

/// The size of a page, in bytes.
pub const PAGE: usize = 4096;

/// A mapping of which most is never touched may be this long: a page costs nothing until it is touched.
pub const SPARSE_BYTES_MAX: usize = 1 << 30;

/// Whether shared memory takes up only what is touched of it.
pub const SHARED_IS_SPARSE: bool = true;

/// Where a process may have little address space (`RLIMIT_AS`), no more than this part of it is ours.
const ADDRESS_SPACE_SHARE: u64 = 4;

/// Bytes that this process has mapped here.
static MAPPED: AtomicUsize = AtomicUsize::new(0);

/// The seals that every memory file of ours carries: its length is fixed for good, and so is the set of its seals.
const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// What a descriptor that a peer handed over turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryFile {
    /// Length in bytes.
    pub len: usize,
    /// Whether it carries our seals and lies in ordinary pages: touching any byte below `len` can never fault.
    pub sealed: bool,
}

/// Makes a memory file of `len` zero bytes (sparse: a page costs memory once it is touched), sealed so that nobody can
/// resize it, and closed by exec. The caller owns the descriptor. `name` shows in `/proc/PID/maps`.
///
/// # Errors
/// The kernel's: `EMFILE`, `ENFILE`, `ENOMEM`, `EFBIG`.
pub fn create_sealed(name: &CStr, len: usize) -> Result<i32> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the kernel reads the NUL-terminated name and touches no other memory.
    let fd = unsafe { call!(SYS_memfd_create, name.as_ptr(), flags) }? as i32;
    match size_and_seal(fd, len) {
        Ok(()) => Ok(fd),
        Err(error) => {
            let _ = close(fd);
            Err(error)
        }
    }
}

fn size_and_seal(fd: i32, len: usize) -> Result<()> {
    // The kernel would not only refuse, it would send SIGXFSZ, which ends a program that does not expect it.
    if len as u64 > super::process::file_size_limit() {
        return Err(Errno(libc::EFBIG));
    }
    // SAFETY: none of the three touches memory of ours; the file is new and nobody has mapped it.
    unsafe {
        // Nobody but its owner may open it anew through /proc, so a descriptor handed out read-only stays read-only.
        call!(SYS_fchmod, fd, 0o600)?;
        call!(SYS_ftruncate, fd, len)?;
        call!(SYS_fcntl, fd, libc::F_ADD_SEALS, SEALS)?;
    }
    Ok(())
}

/// Looks at a descriptor that somebody else made. A file that cannot be sealed counts as unsealed; so does one in huge
/// pages, which can run out at a touch.
///
/// # Errors
/// The kernel's: `EBADF`.
pub fn inspect(fd: i32) -> Result<MemoryFile> {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel fills the structure, which is as large as it expects.
    unsafe { call!(SYS_fstat, fd, stat.as_mut_ptr()) }?;
    // SAFETY: `fstat` succeeded, and zeroes were valid before.
    let len = usize::try_from(unsafe { stat.assume_init() }.st_size).unwrap_or(0);
    // SAFETY: no memory is involved.
    let seals = unsafe { call!(SYS_fcntl, fd, libc::F_GET_SEALS) }.unwrap_or(0) as i32;
    Ok(MemoryFile { len, sealed: seals & SEALS == SEALS && in_ordinary_pages(fd) })
}

fn in_ordinary_pages(fd: i32) -> bool {
    let mut stat = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the kernel fills the structure, which is as large as it expects.
    let known = unsafe { call!(SYS_fstatfs, fd, stat.as_mut_ptr()) };
    // SAFETY: all zeroes is a valid value, and the kernel's is too.
    known.is_ok() && unsafe { stat.assume_init() }.f_type == libc::TMPFS_MAGIC
}

/// Opens the memory file behind `fd` once more, for reading alone. The caller owns the new descriptor (closed by exec).
///
/// # Errors
/// The kernel's: `EMFILE`; `ENOENT` where `/proc` is not mounted.
pub fn reopen_read_only(fd: i32) -> Result<i32> {
    let mut path = [0u8; 32];
    write!(path.as_mut_slice(), "/proc/self/fd/{fd}\0").map_err(|_| Errno(libc::ENAMETOOLONG))?;
    // SAFETY: the path is written whole, with its NUL, and the kernel only reads it.
    unsafe { call!(SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) }.map(|new| new as i32)
}

/// Maps the first `len` bytes of the file `fd`, shared with everybody else who maps it: the address of the first byte.
/// No memory is reserved; a page costs memory once it is touched. Inherited by fork, undone by exec.
///
/// # Errors
/// The kernel's: `EACCES` if `writable` and the descriptor is not, `ENOMEM` (also where the program would miss the address
/// space), `EINVAL` for no bytes.
pub fn map_shared(fd: i32, len: usize, writable: bool) -> Result<usize> {
    let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
    map(len, protection, libc::MAP_SHARED, fd)
}

/// Maps `len` zero bytes that this process shares with the children it forks, and with nobody else.
///
/// # Errors
/// As [`map_shared`].
pub fn map_family(len: usize) -> Result<usize> {
    map(len, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1)
}

/// Maps `len` zero bytes of this process's own, sparse; a forked child gets a copy.
///
/// # Errors
/// As [`map_shared`].
pub fn map_private(len: usize) -> Result<usize> {
    map(len, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
}

fn map(len: usize, protection: i32, flags: i32, fd: i32) -> Result<usize> {
    let mapped = MAPPED.fetch_add(len, Ordering::Relaxed).saturating_add(len);
    let outcome = if mapped as u64 > super::process::address_space_limit() / ADDRESS_SPACE_SHARE {
        Err(Errno(libc::ENOMEM))
    } else {
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        unsafe { call!(SYS_mmap, 0, len, protection, flags | libc::MAP_NORESERVE, fd, 0) }
    };
    if outcome.is_err() {
        MAPPED.fetch_sub(len, Ordering::Relaxed);
    }
    outcome
}

/// Takes a mapping away.
///
/// # Safety
/// `[address, address + len)` was mapped by this module, and nobody will touch it again.
///
/// # Errors
/// The kernel's: `EINVAL`.
pub unsafe fn unmap(address: usize, len: usize) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { call!(SYS_munmap, address, len) }?;
    MAPPED.fetch_sub(len, Ordering::Relaxed);
    Ok(())
}

/// Gives the pages of `[address, address + len)` back to the system, for everybody who shares them: they read as zeroes
/// and cost no memory until they are touched again. Needs no descriptor.
///
/// # Safety
/// The range is whole pages of one shared writable mapping made by this module.
///
/// # Errors
/// The kernel's: `EINVAL` for a range that is not whole pages.
pub unsafe fn punch_hole(address: usize, len: usize) -> Result<()> {
    // SAFETY: the caller's promise; the bytes change as if somebody had written zeroes, and stay mapped.
    unsafe { call!(SYS_madvise, address, len, libc::MADV_REMOVE) }.map(drop)
}

/// Whether the 8 bytes at `address`, whatever that is, can be read now: the kernel is asked, which neither faults nor changes anything.
#[must_use]
pub fn is_readable(address: usize) -> bool {
    /// It says what shall become of the signal mask, and no such thing can: but that is looked at after the mask has been read.
    const NOTHING: i32 = -1;
    // SAFETY: the kernel reads a signal mask where it can, and goes on to refuse the call.
    let asked = unsafe { call!(SYS_rt_sigprocmask, NOTHING, address, 0, size_of::<u64>()) };
    asked == Err(Errno(libc::EINVAL))
}

/// Makes the file's bytes `[at, at + words)` read as zeroes, wherever they are mapped, and gives as many of the pages of
/// `[at, at + len)` back to the system as it takes: here all, which then read as zeroes too.
///
/// # Errors
/// The kernel's: `EBADF`, `ENODEV` for what is no memory file.
pub fn wipe(fd: i32, at: usize, len: usize, words: usize) -> Result<()> {
    let flags = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: no memory of ours is involved; the bytes change as if somebody had written zeroes.
    unsafe { call!(SYS_fallocate, fd, flags, at, len.max(words)) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_is_readable_and_nothing_else() {
        let address = map_private(2 * PAGE).unwrap();
        // SAFETY: the second page is this test's alone.
        unsafe { call!(SYS_mprotect, address + PAGE, PAGE, libc::PROT_NONE) }.unwrap();
        assert!(is_readable(address) && is_readable(address + PAGE - 8));
        assert!(!is_readable(address + PAGE - 7) && !is_readable(address + PAGE));
        assert!(!is_readable(0) && !is_readable(usize::MAX) && !is_readable(1 << 63));
        // SAFETY: mapped above, and nobody will touch it again.
        unsafe { unmap(address, 2 * PAGE) }.unwrap();
    }

    #[test]
    fn a_new_file_is_sealed_and_cannot_shrink() {
        let fd = create_sealed(c"test", 3 * PAGE).unwrap();
        assert_eq!(inspect(fd).unwrap(), MemoryFile { len: 3 * PAGE, sealed: true });
        // SAFETY: no memory is involved.
        let shrunk = unsafe { call!(SYS_ftruncate, fd, PAGE) };
        assert_eq!(shrunk, Err(Errno(libc::EPERM)));
        close(fd).unwrap();
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused_without_a_signal() {
        let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        let limit = libc::rlimit { rlim_cur: PAGE as u64, ..unlimited };
        // A child, since the limit is the whole process's.
        // SAFETY: the child makes system calls alone and ends without running anything of the parent's.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
                let refused = create_sealed(c"test", 2 * PAGE) == Err(Errno(libc::EFBIG));
                libc::_exit(i32::from(!(refused && create_sealed(c"test", PAGE).is_ok())));
            }
            let mut status = 0;
            libc::waitpid(child, &raw mut status, 0);
            status
        };
        assert_eq!(status, 0);
    }

    #[test]
    fn of_little_address_space_only_a_part_is_taken() {
        let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: as above.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::setrlimit(libc::RLIMIT_AS, &raw const limit);
                let part = map_private(200 << 20);
                let refused = map_private(100 << 20) == Err(Errno(libc::ENOMEM));
                let again = part.and_then(|address| unmap(address, 200 << 20)).and_then(|()| map_private(250 << 20));
                libc::_exit(i32::from(!(refused && again.is_ok())));
            }
            let mut status = 0;
            libc::waitpid(child, &raw mut status, 0);
            status
        };
        assert_eq!(status, 0);
    }

    #[test]
    fn an_unsealed_file_and_a_file_that_is_none_are_told_apart() {
        // SAFETY: the kernel reads the name alone.
        let fd = unsafe { call!(SYS_memfd_create, c"test".as_ptr(), libc::MFD_ALLOW_SEALING) }.unwrap() as i32;
        assert!(!inspect(fd).unwrap().sealed);
        close(fd).unwrap();
        assert_eq!(inspect(fd), Err(Errno(libc::EBADF)));
    }

    #[test]
    fn a_read_only_descriptor_cannot_be_mapped_for_writing() {
        let fd = create_sealed(c"test", PAGE).unwrap();
        let reader = reopen_read_only(fd).unwrap();
        assert_eq!(map_shared(reader, PAGE, true), Err(Errno(libc::EACCES)));
        let address = map_shared(reader, PAGE, false).unwrap();
        // SAFETY: mapped above, and touched by nobody.
        unsafe { unmap(address, PAGE) }.unwrap();
        close(fd).unwrap();
        close(reader).unwrap();
    }

    #[test]
    fn two_mappings_of_one_file_are_one_memory_until_a_hole_is_punched() {
        let fd = create_sealed(c"test", 2 * PAGE).unwrap();
        let (here, there) = (map_shared(fd, 2 * PAGE, true).unwrap(), map_shared(fd, 2 * PAGE, true).unwrap());
        close(fd).unwrap();
        let (mine, theirs) =
            (core::ptr::with_exposed_provenance_mut::<u64>(here), core::ptr::with_exposed_provenance::<u64>(there));
        // SAFETY: both are mapped, aligned and touched by this thread alone.
        unsafe {
            mine.write_volatile(7);
            assert_eq!(theirs.read_volatile(), 7);
            punch_hole(here, PAGE).unwrap();
            assert_eq!(theirs.read_volatile(), 0);
            unmap(here, 2 * PAGE).unwrap();
            unmap(there, 2 * PAGE).unwrap();
        }
    }
}
