//! A library into a process that has not begun: the way that is documented, by a thread there that calls `LoadLibraryW`.
use super::descriptor::Descriptor;
use super::{handle, number};
use core::ffi::c_void;
use core::ptr::{null, null_mut};
use std::io::{Error, ErrorKind, Result};
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use windows_sys::Win32::Foundation::{INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Diagnostics::Debug::WriteProcessMemory;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAllocEx, VirtualFreeEx,
};
use windows_sys::Win32::System::Threading::{
    CreateRemoteThread, GetCurrentProcess, GetExitCodeThread, IsWow64Process, OpenThread, ResumeThread,
    THREAD_SUSPEND_RESUME, WaitForSingleObject,
};
use windows_sys::core::{s, w};

/// How long the library may take to load.
const PATIENCE_MS: u32 = 30_000;

/// Loads `library` (a whole path) into the process with the handle `process`, whose first thread has not run yet.
///
/// # Errors
/// `Unsupported` if the process has another word size; `NotFound` if the library would not load there; the system's.
pub fn library(process: i32, library: &Path) -> Result<()> {
    if word_size(handle(process))?
        != word_size(
            // SAFETY: the pseudo-handle of this process.
            unsafe { GetCurrentProcess() },
        )?
    {
        return Err(Error::new(ErrorKind::Unsupported, "the program has another word size than vmmc"));
    }
    let path: Vec<u16> = library.as_os_str().encode_wide().chain([0]).collect();
    let bytes = path.len() * 2;
    // SAFETY: new memory in the other process, at an address of the system's choice.
    let place = unsafe { VirtualAllocEx(handle(process), null(), bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE) };
    if place.is_null() {
        return Err(Error::last_os_error());
    }
    let outcome = load(process, place, &path);
    // A thread that is still at it goes on reading the path.
    if !matches!(&outcome, Err(error) if error.kind() == ErrorKind::TimedOut) {
        // SAFETY: allocated above, and nobody reads it any more.
        unsafe { VirtualFreeEx(handle(process), place, 0, MEM_RELEASE) };
    }
    outcome
}

fn load(process: i32, place: *mut c_void, path: &[u16]) -> Result<()> {
    // SAFETY: the place has room for the path, which is read alone.
    if unsafe { WriteProcessMemory(handle(process), place, path.as_ptr().cast(), path.len() * 2, null_mut()) } == 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: names with their NULs; kernel32 is in every process, and at one address in all of one word size.
    let start = unsafe { GetProcAddress(GetModuleHandleW(w!("kernel32.dll")), s!("LoadLibraryW")) };
    let start = start.ok_or_else(Error::last_os_error)?;
    // SAFETY: LoadLibraryW takes one pointer and returns a word, as a thread's first function does on every Windows.
    let thread = unsafe {
        let start = core::mem::transmute::<
            unsafe extern "system" fn() -> isize,
            unsafe extern "system" fn(*mut c_void) -> u32,
        >(start);
        CreateRemoteThread(handle(process), null(), 0, Some(start), place, 0, null_mut())
    };
    if thread.is_null() {
        return Err(Error::last_os_error());
    }
    let thread = Descriptor::new(number(thread));
    let mut module = 0;
    // SAFETY: no memory is involved in the one; the other fills the word.
    unsafe {
        if WaitForSingleObject(handle(thread.number()), PATIENCE_MS) != WAIT_OBJECT_0 {
            return Err(Error::new(ErrorKind::TimedOut, "the library takes too long to load there"));
        }
        GetExitCodeThread(handle(thread.number()), &raw mut module);
    }
    // The low half of the module's address, which begins at a multiple of 64 KiB; of 4 GiB only by a great chance.
    if module == 0 { Err(Error::new(ErrorKind::NotFound, "the library does not load there")) } else { Ok(()) }
}

/// Whether the process runs in another word size than the system's own.
fn word_size(process: super::HANDLE) -> Result<i32> {
    let mut is_smaller = 0;
    // SAFETY: the call fills the word.
    if unsafe { IsWow64Process(process, &raw mut is_smaller) } == 0 {
        return Err(Error::last_os_error());
    }
    Ok(is_smaller)
}

/// Lets the threads of a process that was made suspended run.
///
/// # Errors
/// `NotFound` if it has none; the system's.
pub fn resume(pid: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    let all = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    if all == INVALID_HANDLE_VALUE {
        return Err(Error::last_os_error());
    }
    let all = Descriptor::new(number(all));
    // SAFETY: all zeroes is a valid value, whose length is set before it is used.
    let mut entry: THREADENTRY32 = unsafe { core::mem::zeroed() };
    entry.dwSize = size_of::<THREADENTRY32>() as u32;
    let mut outcome = Err(ErrorKind::NotFound.into());
    // SAFETY: the calls fill the entry, which is as long as it says.
    let mut more = unsafe { Thread32First(handle(all.number()), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == pid {
            outcome = resume_thread(entry.th32ThreadID);
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(handle(all.number()), &raw mut entry) };
    }
    outcome
}

fn resume_thread(id: u32) -> Result<()> {
    // SAFETY: no memory is involved; the handle is owned from here on.
    let thread = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, id) };
    if thread.is_null() {
        return Err(Error::last_os_error());
    }
    let thread = Descriptor::new(number(thread));
    // SAFETY: no memory is involved.
    if unsafe { ResumeThread(handle(thread.number())) } == u32::MAX { Err(Error::last_os_error()) } else { Ok(()) }
}
