//! Children of the program. They get the library as the program did, where `vmmc run` has said so in the environment; a
//! program that has the library beside it shares it with nobody.
//!
//! A child is made suspended, the library is loaded into it, and then it runs, unless it was to be suspended anyway. Whatever
//! fails on this way, or is not possible (a child of the other word size), the child runs as it would have without us.

use crate::answer::told;
use crate::real::real;
use core::ffi::c_void;
use std::path::PathBuf;
use vmmc_os::inject;
use vmmc_protocol::settings::FOR_CHILDREN;
use vmmc_socket::process as room;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    CREATE_PROTECTED_PROCESS, CREATE_SUSPENDED, DEBUG_ONLY_THIS_PROCESS, DEBUG_PROCESS, PROCESS_INFORMATION,
    ResumeThread,
};

/// A child that its parent debugs runs only when the parent says so, which cannot while it is in here.
const LEFT_ALONE: u32 = DEBUG_PROCESS | DEBUG_ONLY_THIS_PROCESS | CREATE_PROTECTED_PROCESS;

/// The library that children get, if any.
fn library() -> Option<PathBuf> {
    std::env::var_os(FOR_CHILDREN).filter(|library| !library.is_empty()).map(PathBuf::from)
}

/// Makes a child by `create`, which gets its flags. One that inherits handles may use the sockets among them, so they move back.
fn born(inherit: i32, flags: u32, made: *const PROCESS_INFORMATION, create: impl FnOnce(u32) -> i32) -> i32 {
    let mut wanted = None;
    told(|| {
        if inherit != 0 && crate::process::is_started() {
            room::before_spawn();
        }
        wanted = library().filter(|_| flags & LEFT_ALONE == 0);
    });
    let Some(library) = wanted else { return create(flags) };
    let result = create(flags | CREATE_SUSPENDED);
    // SAFETY: the system has just written it if it succeeded; the handles are open, for nobody else knows them yet.
    if let (true, Some(made)) = (result != 0, unsafe { made.as_ref() }) {
        told(|| {
            // The child goes on without it.
            let _ = inject::library(vmmc_os::number(made.hProcess), &library);
            if flags & CREATE_SUSPENDED == 0 {
                // SAFETY: no memory is involved.
                unsafe { ResumeThread(made.hThread) };
            }
        });
    }
    result
}

/// `creators! { Kernel fn CreateProcessA(name: *const u8, …) }`: ours makes the child by the system's. The arguments differ in their
/// characters, and in what stands before the name.
macro_rules! creators {
    ($($library:ident fn $name:ident($($token:ident: $kind:ty,)? | $character:ty);)*) => {
        real! {
            $($library fn $name(
                $($token: $kind,)? name: *const $character, line: *mut $character, security: *const c_void,
                thread_security: *const c_void, inherit: i32, flags: u32, environment: *const c_void,
                directory: *const $character, start: *const c_void, made: *mut PROCESS_INFORMATION,
            ) -> i32 = 0;)*
        }
        $(pub(crate) unsafe extern "system" fn $name(
            $($token: $kind,)?
            name: *const $character,
            line: *mut $character,
            security: *const c_void,
            thread_security: *const c_void,
            inherit: i32,
            flags: u32,
            environment: *const c_void,
            directory: *const $character,
            start: *const c_void,
            made: *mut PROCESS_INFORMATION,
        ) -> i32 {
            born(inherit, flags, made, |flags| {
                // SAFETY: the program's arguments.
                unsafe {
                    real::$name(
                        $($token,)? name, line, security, thread_security, inherit, flags, environment, directory, start, made,
                    )
                }
            })
        })*
    };
}

creators! {
    Kernel fn CreateProcessA(| u8);
    Kernel fn CreateProcessW(| u16);
    Security fn CreateProcessAsUserA(token: HANDLE, | u8);
    Security fn CreateProcessAsUserW(token: HANDLE, | u16);
}
