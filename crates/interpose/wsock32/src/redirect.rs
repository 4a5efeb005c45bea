//! The second door: the imports of the program's modules that concern sockets lead here, whichever DLL they name.
//!
//! What is compared is addresses, so that imports by name, by ordinal, by forwarder and by another DLL's name are all one.
//! Modules that are loaded later are looked at when the program loads them; addresses that it asks for get the same answer.

use crate::options::first;
use crate::real::{Library, Symbol, real};
use crate::start::is_second;
use crate::{children, data, extensions, lifecycle, modules, notices, options, process, redirect, wait};
use core::ffi::c_void;
use std::sync::{Mutex, PoisonError};
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress as system_address};

real! {
    Kernel fn GetProcAddress(module: HMODULE, name: *const u8) -> *const c_void = core::ptr::null();
    Kernel fn LoadLibraryA(name: *const u8) -> HMODULE = core::ptr::null_mut();
    Kernel fn LoadLibraryW(name: *const u16) -> HMODULE = core::ptr::null_mut();
    Kernel fn LoadLibraryExA(name: *const u8, file: *mut c_void, flags: u32) -> HMODULE = core::ptr::null_mut();
    Kernel fn LoadLibraryExW(name: *const u16, file: *mut c_void, flags: u32) -> HMODULE = core::ptr::null_mut();
}

/// A function of the system's and the one that is put before it.
struct Redirection {
    symbol: &'static Symbol,
    ours: fn() -> usize,
}

/// `redirections! { data { send, recv } }`: the functions of these names in a module of ours, before the system's.
macro_rules! redirections {
    ($($room:ident { $($name:ident),* $(,)? })*) => {
        &[$($(Redirection {
            symbol: &$room::real::symbol::$name,
            ours: || ($room::$name as *const ()).expose_provenance(),
        }),*),*]
    };
}

static REDIRECTIONS: &[Redirection] = redirections! {
    data { send, recv, sendto, recvfrom, WSASend, WSARecv, WSASendTo, WSARecvFrom, WSARecvEx }
    lifecycle {
        socket, WSASocketA, WSASocketW, connect, WSAConnect, listen, accept, WSAAccept, closesocket, shutdown,
        WSASendDisconnect, WSARecvDisconnect, WSADuplicateSocketA, WSADuplicateSocketW, CloseHandle, _lclose, DuplicateHandle,
    }
    options { getsockopt, setsockopt, ioctlsocket, WSAIoctl }
    first { getsockopt, setsockopt }
    wait { select, WSAPoll }
    notices { WSAAsyncSelect, WSAEventSelect, WSAEnumNetworkEvents }
    extensions {
        TransmitFile, WSASendMsg, ReadFile, ReadFileEx, WriteFile, WriteFileEx, _lread, _lwrite, _hread, _hwrite,
        CreateIoCompletionPort, BindIoCompletionCallback, CreateThreadpoolIo,
    }
    process { WSAStartup, WSACleanup, ExitProcess }
    children { CreateProcessA, CreateProcessW, CreateProcessAsUserA, CreateProcessAsUserW }
    redirect { GetProcAddress, LoadLibraryA, LoadLibraryW, LoadLibraryExA, LoadLibraryExW }
};

/// An address of the system's and ours in its place.
type Pair = (usize, usize);
const PAIRS_MAX: usize = 128;
/// Only one thread writes imports.
static WRITING: Mutex<()> = Mutex::new(());

/// Looks at every module of the program that is loaded by now. Loads nothing and may be called while the loader is at work.
pub(crate) fn refresh() {
    if is_second() {
        return;
    }
    let mut pairs: [Pair; PAIRS_MAX] = [(0, 0); PAIRS_MAX];
    let count = pairs.iter_mut().zip(known()).map(|(place, pair)| *place = pair).count();
    let pairs = pairs.get_mut(..count).unwrap_or_default();
    pairs.sort_unstable();
    modules::Module::each_of_program(|module| {
        // Taken when the loader's own lock is not needed any more: its holder may wait for this one.
        let writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        module.change_imports(|address| {
            let at = pairs.binary_search_by_key(&address, |(system, _)| *system).ok()?;
            pairs.get(at).map(|(_, ours)| *ours)
        });
        drop(writing);
    });
}

/// The redirections whose target is loaded. Many of kernel32's functions are kernelbase's as well, at other addresses.
fn known() -> impl Iterator<Item = Pair> {
    // SAFETY: the name ends in a zero.
    let base = unsafe { GetModuleHandleA(c"kernelbase.dll".as_ptr().cast()) };
    REDIRECTIONS.iter().flat_map(move |redirection| {
        let symbol = redirection.symbol;
        let in_base = (symbol.library() == Library::Kernel && !base.is_null())
            // SAFETY: the name ends in a zero; the module is never unloaded.
            .then(|| unsafe { system_address(base, symbol.name().as_ptr().cast()) })
            .flatten()
            .map(|function| function as usize);
        [symbol.address_if_loaded(), in_base].into_iter().flatten().map(|address| (address, (redirection.ours)()))
    })
}

/// Sockets' functions alone: addresses of kernel32's are also asked for on behalf of other processes.
pub(crate) unsafe extern "system" fn GetProcAddress(module: HMODULE, name: *const u8) -> *const c_void {
    // SAFETY: the program's arguments.
    let found = unsafe { real::GetProcAddress(module, name) };
    let is_found = |redirection: &&Redirection| {
        redirection.symbol.library() != Library::Kernel
            && redirection.symbol.address_if_loaded() == Some(found.expose_provenance())
    };
    match REDIRECTIONS.iter().find(is_found) {
        Some(redirection) if !found.is_null() => core::ptr::with_exposed_provenance((redirection.ours)()),
        _ => found,
    }
}

/// What was loaded may have brought others along.
fn loaded(module: HMODULE) -> HMODULE {
    if !module.is_null() {
        crate::answer::told(refresh);
    }
    module
}

pub(crate) unsafe extern "system" fn LoadLibraryA(name: *const u8) -> HMODULE {
    // SAFETY: the program's arguments.
    loaded(unsafe { real::LoadLibraryA(name) })
}

pub(crate) unsafe extern "system" fn LoadLibraryW(name: *const u16) -> HMODULE {
    // SAFETY: the program's arguments.
    loaded(unsafe { real::LoadLibraryW(name) })
}

pub(crate) unsafe extern "system" fn LoadLibraryExA(name: *const u8, file: *mut c_void, flags: u32) -> HMODULE {
    // SAFETY: the program's arguments.
    loaded(unsafe { real::LoadLibraryExA(name, file, flags) })
}

pub(crate) unsafe extern "system" fn LoadLibraryExW(name: *const u16, file: *mut c_void, flags: u32) -> HMODULE {
    // SAFETY: the program's arguments.
    loaded(unsafe { real::LoadLibraryExW(name, file, flags) })
}
