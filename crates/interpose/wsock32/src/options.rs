//! Options and modes.

use crate::answer::{SOCKET_ERROR, asked, fail, told};
use crate::arguments::{bytes, bytes_mut, number, value};
use crate::data::Completion;
use crate::lifecycle::move_back;
use crate::real::real;
use core::ffi::c_void;
use vmmc_protocol::Reason;
use vmmc_socket::lifecycle::is_tracked;
use vmmc_socket::options as room;
use windows_sys::Win32::Networking::WinSock::{
    FIONBIO, FIONREAD, SIO_BASE_HANDLE, SIO_BSP_HANDLE, SIO_BSP_HANDLE_POLL, SIO_BSP_HANDLE_SELECT,
    SIO_GET_EXTENSION_FUNCTION_POINTER, SOCKET, WSAEFAULT,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

real! {
    WinSock2 fn getsockopt(socket: SOCKET, level: i32, name: i32, value: *mut u8, len: *mut i32) -> i32 = SOCKET_ERROR;
    WinSock2 fn setsockopt(socket: SOCKET, level: i32, name: i32, value: *const u8, len: i32) -> i32 = SOCKET_ERROR;
    WinSock2 fn ioctlsocket(socket: SOCKET, command: i32, argument: *mut u32) -> i32 = SOCKET_ERROR;
    WinSock2 fn WSAIoctl(
        socket: SOCKET, code: u32, input: *const c_void, input_len: u32, output: *mut c_void, output_len: u32,
        returned: *mut u32, overlapped: *mut OVERLAPPED, completion: Completion,
    ) -> i32 = SOCKET_ERROR;
}

/// Who asks for the handle beneath a socket waits on it by calls of the kernel's that nobody sees.
const POLLED_PAST_US: [u32; 4] = [SIO_BASE_HANDLE, SIO_BSP_HANDLE, SIO_BSP_HANDLE_POLL, SIO_BSP_HANDLE_SELECT];

/// The two functions as WinSock 1 has them: some of its option numbers mean others in WinSock 2, and only the system's own
/// wsock32.dll knows which. Those that the socket room knows are the same in both.
pub(crate) mod first {
    use super::{answered, kept};
    use crate::answer::SOCKET_ERROR;
    use crate::real::real;
    use windows_sys::Win32::Networking::WinSock::SOCKET;

    real! {
        WinSock1 fn getsockopt(socket: SOCKET, level: i32, name: i32, value: *mut u8, len: *mut i32) -> i32 = SOCKET_ERROR;
        WinSock1 fn setsockopt(socket: SOCKET, level: i32, name: i32, value: *const u8, len: i32) -> i32 = SOCKET_ERROR;
    }

    pub(crate) unsafe extern "system" fn getsockopt(
        socket: SOCKET,
        level: i32,
        name: i32,
        value: *mut u8,
        len: *mut i32,
    ) -> i32 {
        // SAFETY: the program's arguments.
        unsafe { answered(socket, level, name, value, len, || real::getsockopt(socket, level, name, value, len)) }
    }

    pub(crate) unsafe extern "system" fn setsockopt(
        socket: SOCKET,
        level: i32,
        name: i32,
        value: *const u8,
        len: i32,
    ) -> i32 {
        // SAFETY: the program's arguments.
        unsafe {
            kept(socket, level, name, value, len).unwrap_or_else(|| real::setsockopt(socket, level, name, value, len))
        }
    }
}

pub(crate) unsafe extern "system" fn getsockopt(
    socket: SOCKET,
    level: i32,
    name: i32,
    value: *mut u8,
    len: *mut i32,
) -> i32 {
    // SAFETY: the program's arguments.
    unsafe { answered(socket, level, name, value, len, || real::getsockopt(socket, level, name, value, len)) }
}

pub(crate) unsafe extern "system" fn setsockopt(
    socket: SOCKET,
    level: i32,
    name: i32,
    value: *const u8,
    len: i32,
) -> i32 {
    // SAFETY: the program's arguments.
    unsafe {
        kept(socket, level, name, value, len).unwrap_or_else(|| real::setsockopt(socket, level, name, value, len))
    }
}

/// The system's answer to a question about an option, and in it the socket room's where that has one: it knows the value, and
/// the system how long one is.
unsafe fn answered(
    socket: SOCKET,
    level: i32,
    name: i32,
    value: *mut u8,
    len: *const i32,
    system: impl FnOnce() -> i32,
) -> i32 {
    let mut ours = [0; size_of::<i32>()];
    let is_known = is_tracked(number(socket))
        && asked(|| room::getsockopt(number(socket), level, name, &mut ours)).is_some_and(|len| len > 0);
    let result = system();
    if is_known && result == 0 {
        // SAFETY: the system has just written so many bytes there, and their number.
        let place = unsafe { len.as_ref().and_then(|len| bytes_mut(value, *len)) };
        place.into_iter().flatten().zip(ours).for_each(|(to, from)| *to = from);
    }
    result
}

/// What became of an option that the socket room keeps; `None` if the system is to have it.
unsafe fn kept(socket: SOCKET, level: i32, name: i32, value: *const u8, len: i32) -> Option<i32> {
    if !is_tracked(number(socket)) {
        return None;
    }
    // SAFETY: the program's arguments.
    let value = unsafe { bytes(value, len) }?;
    asked(|| room::setsockopt(number(socket), level, name, value))
}

/// Whether urgent data is in line is the kernel's to say (`SIOCATMARK`): it stands on the kernel road alone, behind all else.
pub(crate) unsafe extern "system" fn ioctlsocket(socket: SOCKET, command: i32, argument: *mut u32) -> i32 {
    if command == FIONREAD
        // SAFETY: this request's argument is the program's word.
        && let Some(result) = unsafe { unread(socket, argument) }
    {
        return result;
    }
    // SAFETY: the program's arguments.
    let result = unsafe { real::ioctlsocket(socket, command, argument) };
    if result == 0 && command == FIONBIO {
        // SAFETY: the system has just read this word.
        let on = unsafe { argument.read_unaligned() } != 0;
        told(|| room::nonblocking_set(number(socket), on));
    }
    result
}

/// How much a receive would get; `None` if that is the system's to say.
unsafe fn unread(socket: SOCKET, place: *mut u32) -> Option<i32> {
    let count = asked(|| room::readable_bytes(number(socket)))?;
    if count < 0 {
        return Some(count);
    }
    if place.is_null() {
        return Some(fail(WSAEFAULT));
    }
    // SAFETY: not null; the program's to be written.
    unsafe { place.write_unaligned(count.cast_unsigned()) };
    Some(0)
}

pub(crate) unsafe extern "system" fn WSAIoctl(
    socket: SOCKET,
    code: u32,
    input: *const c_void,
    input_len: u32,
    output: *mut c_void,
    output_len: u32,
    returned: *mut u32,
    overlapped: *mut OVERLAPPED,
    completion: Completion,
) -> i32 {
    const WORD: u32 = size_of::<u32>() as u32;
    // SAFETY: null or the program's, with room for a word.
    if let (true, Some(returned)) = (code.cast_signed() == FIONREAD && output_len >= WORD, unsafe { returned.as_mut() })
        // SAFETY: the program's output, with room for a word.
        && let Some(result) = unsafe { unread(socket, output.cast()) }
    {
        *returned = WORD;
        return result;
    }
    if POLLED_PAST_US.contains(&code) {
        move_back(socket, Reason::KERNEL_FEATURE);
    }
    // SAFETY: the program's arguments.
    let result =
        unsafe { real::WSAIoctl(socket, code, input, input_len, output, output_len, returned, overlapped, completion) };
    if result == 0 && code.cast_signed() == FIONBIO && !input.is_null() {
        // SAFETY: the system has just read this word.
        let on = unsafe { input.cast::<u32>().read_unaligned() } != 0;
        told(|| room::nonblocking_set(number(socket), on));
    }
    if result == 0 && code == SIO_GET_EXTENSION_FUNCTION_POINTER {
        // SAFETY: the system has just read the one and written the other; a pointer to a function has a pointer's size.
        if let (Some(name), Some(place)) = unsafe { (value(input.cast_mut()), value::<usize>(output)) } {
            crate::extensions::replace(name, place);
        }
    }
    result
}
