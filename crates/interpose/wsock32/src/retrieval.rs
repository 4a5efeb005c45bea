//! A look at the messages that a program's thread takes out of its queue, by the hook that Windows has for that: one that tells
//! of a connection's end while bytes lie unread becomes a message that says nothing.

use crate::notices;
use crate::real::real;
use core::ffi::c_void;
use core::ptr::null_mut;
use std::sync::{Mutex, PoisonError};
use windows_sys::Win32::Foundation::HWND;

real! {
    User fn GetWindowThreadProcessId(window: HWND, process: *mut u32) -> u32 = 0;
    User fn SetWindowsHookExW(kind: i32, procedure: Procedure, module: *mut c_void, thread: u32) -> *mut c_void = null_mut();
    User fn UnhookWindowsHookEx(hook: *mut c_void) -> i32 = 0;
    User fn CallNextHookEx(hook: *mut c_void, code: i32, word: usize, long: isize) -> isize = 0;
}

type Procedure = unsafe extern "system" fn(i32, usize, isize) -> isize;

const WH_GETMESSAGE: i32 = 3;
/// The message is taken out of the queue, and not only looked at.
const PM_REMOVE: usize = 1;
const WM_NULL: u32 = 0;

/// How `MSG` begins.
#[repr(C)]
struct Message {
    window: HWND,
    message: u32,
    word: usize,
    long: isize,
}

/// The threads whose messages are looked at, and their hooks, which go with them.
static HOOKS: Mutex<Vec<(u32, usize)>> = Mutex::new(Vec::new());

/// Looks from now on at the messages of the thread whose window this is, if it is one of this process.
pub(crate) fn look_into(window: HWND) {
    let mut process = 0;
    // SAFETY: the call fills the number.
    let thread = unsafe { real::GetWindowThreadProcessId(window, &raw mut process) };
    if thread == 0 || process != std::process::id() {
        return;
    }
    // A hook that is known may be an ended thread's which had the same number.
    // SAFETY: the procedure stays loaded, as this library does.
    let hook = unsafe { real::SetWindowsHookExW(WH_GETMESSAGE, retrieved, null_mut(), thread) };
    let mut hooks = HOOKS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = hooks.iter_mut().find(|(of, _)| *of == thread);
    let earlier = known.map(|(_, known)| core::mem::replace(known, hook.expose_provenance()));
    if earlier.is_none() && hooks.try_reserve(1).is_ok() {
        hooks.push((thread, hook.expose_provenance()));
    }
    drop(hooks);
    // SAFETY: no memory is involved; a hook that has gone with its thread is refused.
    earlier.map(|earlier| unsafe { real::UnhookWindowsHookEx(core::ptr::with_exposed_provenance_mut(earlier)) });
}

unsafe extern "system" fn retrieved(code: i32, removed: usize, message: isize) -> isize {
    let place: *mut Message = core::ptr::with_exposed_provenance_mut(message.cast_unsigned());
    if code >= 0
        && removed == PM_REMOVE
        // SAFETY: with a code that is not negative the system passes a message that is being retrieved.
        && let Some(retrieved) = unsafe { place.as_mut() }
        && notices::is_early(retrieved.window.expose_provenance(), retrieved.message, retrieved.word, retrieved.long)
    {
        retrieved.message = WM_NULL;
    }
    // SAFETY: the system's arguments are passed on.
    unsafe { real::CallNextHookEx(null_mut(), code, removed, message) }
}
