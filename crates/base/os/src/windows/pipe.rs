//! Pipes by the name of a place, and a read from one that is always under way.
use super::channel::{FRAME_MAX, refusal};
use super::descriptor::Descriptor;
use super::{handle, last_error, number, owner};
use crate::channel::Refusal;
use core::fmt::Write as _;
use core::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_NO_DATA, ERROR_PIPE_BUSY,
    ERROR_PIPE_NOT_CONNECTED, GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_OVERLAPPED, OPEN_EXISTING, ReadFile, SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{PIPE_READMODE_MESSAGE, SetNamedPipeHandleState, WaitNamedPipeW};
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent};

/// A pipe with no free end is waited for so often, and so many milliseconds each time.
const BUSY_TRIES: usize = 5;
const BUSY_MS: u32 = 20;

/// A name for the user's own kernel object that belongs to the place: `prefix`, the user's SID, a hash of the place's name. Ends in 0.
pub(super) fn name(prefix: &str, place: &[u8]) -> Option<Vec<u16>> {
    let hash = place
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut name = String::new();
    write!(name, "{prefix}vmmc-{}-{hash:016x}\0", owner::own_sid()?).ok()?;
    Some(name.encode_utf16().collect())
}

/// Opens the pipe of a place, if it is this user's.
pub(super) fn open(place: &[u8]) -> Result<Descriptor, Refusal> {
    let name = name(r"\\.\pipe\", place).ok_or(Refusal::Untrusted)?;
    for _ in 0..BUSY_TRIES {
        // Whoever listens may learn who we are and no more.
        let flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
        // SAFETY: the name ends with a NUL.
        let pipe = unsafe {
            CreateFileW(name.as_ptr(), GENERIC_READ | GENERIC_WRITE, 0, null(), OPEN_EXISTING, flags, null_mut())
        };
        if pipe != INVALID_HANDLE_VALUE {
            return trusted(Descriptor::new(number(pipe)));
        }
        let error = last_error().0 as u32;
        if error != ERROR_PIPE_BUSY {
            return Err(refusal(error));
        }
        // SAFETY: the name ends with a NUL.
        unsafe { WaitNamedPipeW(name.as_ptr(), BUSY_MS) };
    }
    Err(Refusal::Busy)
}

/// The pipe, if it was made by this user, and in message mode.
fn trusted(pipe: Descriptor) -> Result<Descriptor, Refusal> {
    if !owner::is_own(&pipe) {
        return Err(Refusal::Untrusted);
    }
    let mode = PIPE_READMODE_MESSAGE;
    // SAFETY: the mode lives until the call returns.
    if unsafe { SetNamedPipeHandleState(handle(pipe.number()), &raw const mode, null(), null()) } == 0 {
        return Err(refusal(last_error().0 as u32));
    }
    Ok(pipe)
}

/// A read that is under way, and where its bytes go.
pub(super) struct Read {
    overlapped: OVERLAPPED,
    /// Signalled when the read is done.
    event: Descriptor,
    buffer: [u8; FRAME_MAX],
    is_under_way: bool,
    /// The pipe, which is open for as long as this.
    pipe: i32,
}

// SAFETY: the pointers in it are a handle and the system's own.
unsafe impl Send for Read {}

impl core::fmt::Debug for Read {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Read").field("is_under_way", &self.is_under_way).finish_non_exhaustive()
    }
}

/// What a look at a read has found.
pub(super) enum Taken {
    Nothing,
    End,
    TooLong,
    /// So many bytes.
    Bytes(usize),
}

impl Read {
    /// The read in its place, begun if there is none. It stays where it is in memory.
    pub(super) fn begun<'a>(place: &'a mut Option<Box<Self>>, pipe: &Descriptor) -> Result<&'a mut Self, Refusal> {
        if place.is_none() {
            // SAFETY: no security, no name: no memory is involved.
            let event = unsafe { CreateEventW(null(), 1, 0, null()) };
            if event.is_null() {
                return Err(refusal(last_error().0 as u32));
            }
            // SAFETY: all zeroes is an overlapped structure that has not been used.
            let mut overlapped: OVERLAPPED = unsafe { core::mem::zeroed() };
            overlapped.hEvent = event;
            let (event, buffer) = (Descriptor::new(number(event)), [0; FRAME_MAX]);
            let read = Self { overlapped, event, buffer, is_under_way: false, pipe: pipe.number() };
            place.insert(Box::new(read)).begin();
        }
        place.as_deref_mut().ok_or(Refusal::Lost)
    }

    pub(super) fn event(&self) -> i32 {
        self.event.number()
    }

    /// Asks for the next message. If the pipe has ended, whoever waits is told so.
    fn begin(&mut self) {
        let (pipe, len) = (handle(self.pipe), FRAME_MAX as u32);
        // SAFETY: buffer and structure are in a box that is dropped only when the system is done with them.
        let done = unsafe { ReadFile(pipe, self.buffer.as_mut_ptr(), len, null_mut(), &raw mut self.overlapped) };
        self.is_under_way = done != 0 || matches!(last_error().0 as u32, ERROR_IO_PENDING | ERROR_MORE_DATA);
        if !self.is_under_way {
            // SAFETY: the event is this structure's own.
            unsafe { SetEvent(handle(self.event.number())) };
        }
    }

    /// Copies the message that has come in, and asks for the next.
    pub(super) fn take(&mut self, into: &mut [u8; FRAME_MAX]) -> Result<Taken, Refusal> {
        if !self.is_under_way {
            return Ok(Taken::End);
        }
        let mut len = 0;
        // SAFETY: the structure is that of the call that is under way.
        let done = unsafe { GetOverlappedResult(handle(self.pipe), &raw const self.overlapped, &raw mut len, 0) };
        if done != 0 {
            *into = self.buffer;
            self.begin();
            return Ok(Taken::Bytes(len as usize));
        }
        match last_error().0 as u32 {
            ERROR_IO_INCOMPLETE => Ok(Taken::Nothing),
            ERROR_MORE_DATA => {
                // What is left of it comes as a message of its own.
                self.begin();
                Ok(Taken::TooLong)
            }
            ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED => {
                self.is_under_way = false;
                Ok(Taken::End)
            }
            other => Err(refusal(other)),
        }
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        if self.is_under_way {
            let (pipe, mut len) = (handle(self.pipe), 0);
            // SAFETY: the structure is that of the call that is under way; the second call waits until the system is done with it.
            unsafe {
                CancelIoEx(pipe, &raw const self.overlapped);
                GetOverlappedResult(pipe, &raw const self.overlapped, &raw mut len, 1);
            }
        }
    }
}
