//! Shared memory: pagefile-backed sections without names, and views of them.
//!
//! A section's length is fixed when it is made, so no page of it can be cut off. One that arrives from a peer is looked at
//! before it is mapped: one that stands on a file, or whose pages are only reserved, could fault at a touch.
use super::kernel::Result;
use super::winsock::{Dll, Symbol};
use super::{handle, last_error, number};
use crate::Errno;
use core::ffi::{CStr, c_void};
use core::ptr::{null, null_mut, with_exposed_provenance_mut};
use windows_sys::Win32::Foundation::{DuplicateHandle, ERROR_INVALID_PARAMETER, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT, MEM_MAPPED, MEM_RELEASE, MEM_RESERVE,
    MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_READWRITE, SEC_COMMIT, UnmapViewOfFile,
    VirtualAlloc, VirtualFree, VirtualQuery,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// The size of a page, in bytes.
pub const PAGE: usize = 4096;

/// A mapping of which most is never touched may be this long: every page of it counts against what the system can give.
pub const SPARSE_BYTES_MAX: usize = 16 << 20;

/// Whether shared memory takes up only what is touched of it: every byte of a section counts at once against what the
/// system can give.
pub const SHARED_IS_SPARSE: bool = false;

/// What a handle that a peer handed over turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryFile {
    /// Length in bytes.
    pub len: usize,
    /// Whether it stands in committed memory of the system's: touching any byte below `len` can never fault.
    pub sealed: bool,
}

/// Makes a section of `len` zero bytes, for good. The caller owns the handle, which is not inherited. It has no name.
///
/// # Errors
/// The system's, when it has not got so much memory.
pub fn create_sealed(_name: &CStr, len: usize) -> Result<i32> {
    let (high, low) = ((len as u64 >> 32) as u32, len as u32);
    // SAFETY: no security, no name: no memory of ours is involved.
    let section =
        unsafe { CreateFileMappingW(INVALID_HANDLE_VALUE, null(), PAGE_READWRITE | SEC_COMMIT, high, low, null()) };
    if section.is_null() { Err(last_error()) } else { Ok(number(section)) }
}

/// SECTION_BASIC_INFORMATION.
#[repr(C)]
struct SectionInformation {
    base: *mut c_void,
    attributes: u32,
    size: i64,
}

type QuerySection = unsafe extern "system" fn(HANDLE, u32, *mut SectionInformation, usize, *mut usize) -> i32;
static QUERY_SECTION: Symbol = Symbol::new(Dll::Ntdll, c"NtQuerySection");

/// Looks at a handle that somebody else made.
///
/// # Errors
/// `ERROR_INVALID_PARAMETER` for what is no section, or may not be asked.
pub fn inspect(fd: i32) -> Result<MemoryFile> {
    let mut found = SectionInformation { base: null_mut(), attributes: 0, size: 0 };
    let refused = Errno(ERROR_INVALID_PARAMETER as i32);
    // SAFETY: ntdll's function of this name has this signature.
    let query = unsafe { QUERY_SECTION.get::<QuerySection>() }.ok_or(refused)?;
    // SAFETY: class 0 fills the structure, whose length it is told.
    let status = unsafe { query(handle(fd), 0, &raw mut found, size_of::<SectionInformation>(), null_mut()) };
    if status < 0 {
        return Err(refused);
    }
    let len = usize::try_from(found.size).unwrap_or(0);
    /// SEC_FILE, SEC_IMAGE, SEC_RESERVE.
    const UNSURE: u32 = 0x0080_0000 | 0x0100_0000 | 0x0400_0000;
    Ok(MemoryFile { len, sealed: found.attributes & SEC_COMMIT != 0 && found.attributes & UNSURE == 0 })
}

/// A second handle for the section `fd`, for reading alone. The caller owns it.
///
/// # Errors
/// The system's.
pub fn reopen_read_only(fd: i32) -> Result<i32> {
    const SECTION_QUERY: u32 = 1;
    let mut new = null_mut();
    // SAFETY: the call fills the handle; the process's own needs no closing.
    let made = unsafe {
        let this = GetCurrentProcess();
        DuplicateHandle(this, handle(fd), this, &raw mut new, SECTION_QUERY | FILE_MAP_READ, 0, 0)
    };
    if made == 0 { Err(last_error()) } else { Ok(number(new)) }
}

/// Maps the first `len` bytes of the section `fd`, shared with everybody else who maps it: the address of the first byte.
///
/// # Errors
/// The system's: `ERROR_ACCESS_DENIED` if `writable` and the handle is not.
pub fn map_shared(fd: i32, len: usize, writable: bool) -> Result<usize> {
    let access = if writable { FILE_MAP_READ | FILE_MAP_WRITE } else { FILE_MAP_READ };
    if len == 0 {
        return Err(Errno(ERROR_INVALID_PARAMETER as i32));
    }
    // SAFETY: a new view at an address of the system's choice replaces nothing.
    let view = unsafe { MapViewOfFile(handle(fd), access, 0, 0, len) };
    if view.Value.is_null() { Err(last_error()) } else { Ok(view.Value.expose_provenance()) }
}

/// Maps `len` zero bytes: there are no process families here, so they are this process's own.
///
/// # Errors
/// As [`map_private`].
pub fn map_family(len: usize) -> Result<usize> {
    map_private(len)
}

/// Maps `len` zero bytes of this process's own.
///
/// # Errors
/// The system's, when it has not got so much memory; for no bytes.
pub fn map_private(len: usize) -> Result<usize> {
    // SAFETY: new memory at an address of the system's choice replaces nothing.
    let address = unsafe { VirtualAlloc(null(), len, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) };
    if address.is_null() { Err(last_error()) } else { Ok(address.expose_provenance()) }
}

/// Takes a mapping away.
///
/// # Safety
/// `[address, address + len)` was mapped by this module, and nobody will touch it again.
///
/// # Errors
/// The system's.
pub unsafe fn unmap(address: usize, _len: usize) -> Result<()> {
    let start: *mut c_void = with_exposed_provenance_mut(address);
    // SAFETY: all zeroes is a valid value, which the call fills; then the caller's promise.
    let done = unsafe {
        let mut found: MEMORY_BASIC_INFORMATION = core::mem::zeroed();
        VirtualQuery(start, &raw mut found, size_of_val(&found));
        if found.Type == MEM_MAPPED {
            UnmapViewOfFile(MEMORY_MAPPED_VIEW_ADDRESS { Value: start })
        } else {
            VirtualFree(start, 0, MEM_RELEASE)
        }
    };
    if done == 0 { Err(last_error()) } else { Ok(()) }
}

/// Makes `[address, address + len)` read as zeroes, for everybody who shares it. Pages of a section can't be given back to
/// the system, so they are written.
///
/// # Safety
/// The range is whole pages of one shared writable mapping made by this module.
///
/// # Errors
/// None here.
pub unsafe fn punch_hole(address: usize, len: usize) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { with_exposed_provenance_mut::<u8>(address).write_bytes(0, len) };
    Ok(())
}

/// Makes the section's bytes `[at, at + words)` read as zeroes, wherever they are mapped, and gives as many of the pages of
/// `[at, at + len)` back to the system as it takes: here none, so the rest keeps its bytes.
///
/// # Errors
/// The system's, for a handle that is no writable section or a range beyond its end.
pub fn wipe(fd: i32, at: usize, _len: usize, words: usize) -> Result<()> {
    /// Views begin at multiples of it (dwAllocationGranularity of every Windows).
    const GRANULARITY: usize = 64 * 1024;
    let skipped = at % GRANULARITY;
    let start = (at - skipped) as u64;
    let (high, low) = ((start >> 32) as u32, start as u32);
    // SAFETY: a new view at an address of the system's choice replaces nothing.
    let view = unsafe { MapViewOfFile(handle(fd), FILE_MAP_WRITE, high, low, skipped + words) };
    if view.Value.is_null() {
        return Err(last_error());
    }
    // SAFETY: the view was made above, is long enough, and is unmapped when it has been written.
    unsafe {
        view.Value.cast::<u8>().add(skipped).write_bytes(0, words);
        UnmapViewOfFile(view);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::close;
    use windows_sys::Win32::Foundation::ERROR_ACCESS_DENIED;
    use windows_sys::Win32::System::Memory::SEC_RESERVE;

    #[test]
    fn a_new_section_has_its_length_and_can_be_trusted() {
        let fd = create_sealed(c"test", 3 * PAGE).unwrap();
        assert_eq!(inspect(fd).unwrap(), MemoryFile { len: 3 * PAGE, sealed: true });
        close(fd).unwrap();
    }

    #[test]
    fn a_section_of_reserved_pages_and_a_handle_that_is_none_are_told_apart() {
        // SAFETY: no memory of ours is involved.
        let section = unsafe {
            CreateFileMappingW(INVALID_HANDLE_VALUE, null(), PAGE_READWRITE | SEC_RESERVE, 0, PAGE as u32, null())
        };
        assert!(!inspect(number(section)).unwrap().sealed);
        close(number(section)).unwrap();
        let event = crate::bell::create().unwrap();
        assert!(inspect(event).is_err());
        close(event).unwrap();
        assert!(inspect(-1).is_err());
    }

    #[test]
    fn a_read_only_handle_cannot_be_mapped_for_writing() {
        let fd = create_sealed(c"test", PAGE).unwrap();
        let reader = reopen_read_only(fd).unwrap();
        assert_eq!(map_shared(reader, PAGE, true), Err(Errno(ERROR_ACCESS_DENIED as i32)));
        let address = map_shared(reader, PAGE, false).unwrap();
        // SAFETY: mapped above, and touched by nobody.
        unsafe { unmap(address, PAGE) }.unwrap();
        close(fd).unwrap();
        close(reader).unwrap();
    }

    #[test]
    fn two_mappings_of_one_section_are_one_memory_until_a_hole_is_punched() {
        let fd = create_sealed(c"test", 2 * PAGE).unwrap();
        let (here, there) = (map_shared(fd, 2 * PAGE, true).unwrap(), map_shared(fd, 2 * PAGE, true).unwrap());
        close(fd).unwrap();
        let (mine, theirs) =
            (with_exposed_provenance_mut::<u64>(here), core::ptr::with_exposed_provenance::<u64>(there));
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
