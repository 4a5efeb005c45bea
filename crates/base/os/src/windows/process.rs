//! The process: who it is, what it may do, its helpers.
use super::kernel::Result;
use super::last_error;
use core::ffi::c_void;
use core::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{CloseHandle, ERROR_INVALID_PARAMETER, GetLastError, WAIT_OBJECT_0};
use windows_sys::Win32::Security::{GetLengthSid, GetTokenInformation, TOKEN_QUERY, TOKEN_USER, TokenUser};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
};
use windows_sys::Win32::System::Threading::{
    CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, CreateThread, CreateWaitableTimerExW, GetCurrentProcess,
    GetCurrentProcessId, GetCurrentThreadId, GetProcessAffinityMask, OpenProcess, OpenProcessToken, PROCESS_NAME_WIN32,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, QueryFullProcessImageNameW,
    STACK_SIZE_PARAM_IS_A_RESERVATION, SetWaitableTimer, Sleep, SwitchToThread, TIMER_ALL_ACCESS, WaitForSingleObject,
};

/// GetCurrentProcessId.
#[must_use]
pub fn id() -> u32 {
    // SAFETY: it reads a word of the process's own.
    unsafe { GetCurrentProcessId() }
}
/// GetCurrentThreadId.
#[must_use]
pub fn thread_id() -> u32 {
    // SAFETY: it reads a word of the thread's own.
    unsafe { GetCurrentThreadId() }
}
/// A number that no other thread of this process has, without a system call: the address of the thread's environment block,
/// which has pages of its own. Not 0, a multiple of 64, below 2^47.
#[inline(always)]
#[must_use]
pub fn thread_mark() -> u64 {
    let mark: usize;
    // SAFETY: the block's own address stands in it (`NT_TIB.Self`), and the segment register leads there; nothing is written.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!("mov {}, gs:[0x30]", out(reg) mark, options(nostack, preserves_flags, readonly));
        #[cfg(target_arch = "x86")]
        core::arch::asm!("mov {}, fs:[0x18]", out(reg) mark, options(nostack, preserves_flags, readonly));
    }
    mark as u64 & !63
}
/// Whether a process of this number runs (it may be somebody else's).
#[must_use]
pub fn exists(pid: u32) -> bool {
    // SAFETY: no memory is involved; the handle is closed below.
    let process = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, pid) };
    if process.is_null() {
        // SAFETY: it reads a word of the thread's own.
        return unsafe { GetLastError() } != ERROR_INVALID_PARAMETER;
    }
    // SAFETY: opened above.
    unsafe {
        let ended = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
        CloseHandle(process);
        !ended
    }
}
/// The path of the file that a process runs, if it may be asked.
#[must_use]
pub fn image(pid: u32) -> Option<std::ffi::OsString> {
    let mut path = vec![0u16; 4096];
    let mut len = path.len() as u32;
    // SAFETY: the path is as long as is said; the handle is closed.
    let known = unsafe {
        let process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
        if process.is_null() {
            return None;
        }
        let known = QueryFullProcessImageNameW(process, PROCESS_NAME_WIN32, path.as_mut_ptr(), &raw mut len);
        CloseHandle(process);
        known
    };
    let path = path.get(..len as usize).filter(|_| known != 0)?;
    Some(std::os::windows::ffi::OsStringExt::from_wide(path))
}
/// SwitchToThread.
pub fn yield_now() {
    // SAFETY: no memory is involved.
    unsafe { SwitchToThread() };
}
/// Sleeps `micros` microseconds, or where the system has no fine timers (before Windows 10) whole milliseconds.
pub fn sleep_micros(micros: u32) {
    // SAFETY: the timer is made, set, waited for and closed here; the time lives until it is set.
    unsafe {
        let flags = if micros.is_multiple_of(1000) { 0 } else { CREATE_WAITABLE_TIMER_HIGH_RESOLUTION };
        let timer =
            if flags == 0 { null_mut() } else { CreateWaitableTimerExW(null(), null(), flags, TIMER_ALL_ACCESS) };
        // In units of 100 ns; negative: from now on.
        let due = -i64::from(micros) * 10;
        if timer.is_null() {
            return Sleep(micros.div_ceil(1000));
        }
        if SetWaitableTimer(timer, &raw const due, 0, None, null(), 0) != 0 {
            WaitForSingleObject(timer, micros.div_ceil(1000) + 20);
        }
        CloseHandle(timer);
    }
}
/// About what it costs to sleep in the kernel on a socket and be woken by the peer, in microseconds. Measured under Wine:
/// a sleep that a doorbell ends at once lasts 105 to 270, and to take the doorbell away 36 to 90 more; Windows may need less.
pub const SLEEP_AND_WAKE_MICROS: u32 = 200;
/// Processors that this process may run on.
#[must_use]
pub fn processors() -> usize {
    let (mut ours, mut all) = (0usize, 0usize);
    // SAFETY: the call fills both words.
    unsafe { GetProcessAffinityMask(GetCurrentProcess(), &raw mut ours, &raw mut all) };
    (ours.count_ones() as usize).max(1)
}

/// The soft and hard limit of open handles, which no process can have more of.
#[must_use]
pub fn descriptor_limit() -> (u64, u64) {
    (1 << 24, 1 << 24)
}

/// Allows as many open handles as may be had: there is no limit to raise.
pub fn raise_descriptor_limit() {}

type Body = extern "C" fn(*mut c_void) -> *mut c_void;

/// Starts a thread of this process that runs `body`, with a small stack. It ends with the process or when `body` returns;
/// the module that `body` stands in stays loaded for good.
///
/// # Errors
/// The system's, when it has no thread to give.
pub fn start_thread(body: Body) -> Result<()> {
    const STACK: usize = 256 * 1024;
    let mut module = null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    let place = body as *const c_void;
    // SAFETY: the address is one of this module's; the thread gets the one argument that `run` expects.
    unsafe {
        GetModuleHandleExW(flags, place.cast(), &raw mut module);
        let thread = CreateThread(null(), STACK, Some(run), place, STACK_SIZE_PARAM_IS_A_RESERVATION, null_mut());
        if thread.is_null() {
            return Err(last_error());
        }
        CloseHandle(thread);
    }
    Ok(())
}

unsafe extern "system" fn run(body: *mut c_void) -> u32 {
    // SAFETY: `start_thread` passes a function of this type.
    let body: Body = unsafe { core::mem::transmute(body) };
    body(null_mut());
    0
}

/// A number for the user that this process runs as: a hash of its SID. 0 if it can't be asked.
#[must_use]
pub fn user() -> u32 {
    let mut words = [0u64; 16];
    let mut token = null_mut();
    let mut len = 0;
    // SAFETY: the token is closed; the information lies in the array, which is aligned for it and as long as is said, and its
    // SID lies there too.
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) == 0 {
            return 0;
        }
        let size = size_of_val(&words) as u32;
        let known = GetTokenInformation(token, TokenUser, words.as_mut_ptr().cast(), size, &raw mut len);
        CloseHandle(token);
        if known == 0 {
            return 0;
        }
        let sid = (*words.as_ptr().cast::<TOKEN_USER>()).User.Sid;
        let bytes = core::slice::from_raw_parts(sid.cast::<u8>(), GetLengthSid(sid) as usize);
        bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    }
}

/// Whether nobody but this user can write the file at `path`: it is not known, Windows' permissions are not looked at.
#[must_use]
pub fn may_trust(_path: &std::path::Path) -> bool {
    false
}
