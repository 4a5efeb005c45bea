//! Handles on their way between the connecting process and the listening one.
use super::channel::refusal;
use super::descriptor::Descriptor;
use super::{handle, last_error, number};
use crate::channel::{ATTACHED_MAX, Refusal};
use core::ptr::null_mut;
use windows_sys::Win32::Foundation::{
    DUPLICATE_CLOSE_SOURCE, DUPLICATE_SAME_ACCESS, DuplicateHandle, ERROR_INVALID_PARAMETER,
};
use windows_sys::Win32::System::Pipes::{GetNamedPipeClientProcessId, PeekNamedPipe};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcess, PROCESS_DUP_HANDLE};

/// Who has connected to a pipe, opened for duplicating handles; `None` if it has gone, or may not be opened.
pub(super) fn connecting_process(pipe: &Descriptor) -> Option<(u32, Descriptor)> {
    let mut pid = 0;
    // SAFETY: the call fills the number.
    if unsafe { GetNamedPipeClientProcessId(handle(pipe.number()), &raw mut pid) } == 0 {
        return None;
    }
    // SAFETY: no memory is involved; the handle is owned from here on.
    let process = unsafe { OpenProcess(PROCESS_DUP_HANDLE, 0, pid) };
    let process = (!process.is_null()).then(|| Descriptor::new(number(process)))?;
    // While its end of the pipe is open the process lives, so its number was still its own a moment ago.
    // SAFETY: nothing is asked for, so nothing is written.
    let is_open =
        unsafe { PeekNamedPipe(handle(pipe.number()), null_mut(), 0, null_mut(), null_mut(), null_mut()) != 0 };
    is_open.then_some((pid, process))
}

/// Gives another process handles for what these numbers are here: its numbers.
pub(super) fn into_process(process: &Descriptor, numbers: &[i32]) -> Result<[i32; ATTACHED_MAX], Refusal> {
    let mut theirs = [0; ATTACHED_MAX];
    if numbers.len() > theirs.len() {
        return Err(Refusal::System(ERROR_INVALID_PARAMETER as i32));
    }
    for (place, own) in theirs.iter_mut().zip(numbers) {
        let mut new = null_mut();
        // SAFETY: the call fills the handle, which is one of the other process's.
        let made = unsafe {
            let (this, that) = (GetCurrentProcess(), handle(process.number()));
            DuplicateHandle(this, handle(*own), that, &raw mut new, 0, 0, DUPLICATE_SAME_ACCESS)
        };
        if made == 0 {
            let error = last_error();
            close_there(process, &theirs);
            return Err(refusal(error.0 as u32));
        }
        *place = number(new);
    }
    Ok(theirs)
}

/// Takes handles away from another process that has not been told of them. 0 is none.
pub(super) fn close_there(process: &Descriptor, theirs: &[i32; ATTACHED_MAX]) {
    for number in theirs.iter().filter(|number| **number != 0) {
        // SAFETY: the handle was made there by this process, and nobody else knows its number.
        unsafe {
            let that = handle(process.number());
            DuplicateHandle(that, handle(*number), null_mut(), null_mut(), 0, 0, DUPLICATE_CLOSE_SOURCE)
        };
    }
}

/// A handle for what `number` is in another process; `None` if it is nothing there.
pub(super) fn out_of_process(process: &Descriptor, number: i32) -> Option<Descriptor> {
    let mut new = null_mut();
    // SAFETY: the call fills the handle.
    let made = unsafe {
        let (that, this) = (handle(process.number()), GetCurrentProcess());
        DuplicateHandle(that, handle(number), this, &raw mut new, 0, 0, DUPLICATE_SAME_ACCESS)
    };
    (made != 0).then(|| Descriptor::new(super::number(new)))
}
