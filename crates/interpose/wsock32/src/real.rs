//! The system's own functions, which stand behind ours: by pointers that are looked up once, and never by import, since
//! imports are what `redirect` changes.

use core::ffi::CStr;
use core::ptr::null_mut;
use vmmc_sync::{AtomicUsize, Ordering};
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress, LoadLibraryA};
use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryA;

/// Where a function is looked for. All of them stand in the system's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// WinSock 2.
    WinSock2,
    /// The system's own wsock32.dll, which translates the option numbers of WinSock 1. By its name alone we would get ourselves.
    WinSock1,
    /// Microsoft's extensions of WinSock.
    Extensions,
    /// Files, handles, processes, modules.
    Kernel,
    /// Processes of other users.
    Security,
    /// Windows and their messages.
    User,
}

impl Library {
    const fn file(self) -> &'static CStr {
        match self {
            Self::WinSock2 => c"\\ws2_32.dll",
            Self::WinSock1 => c"\\wsock32.dll",
            Self::Extensions => c"\\mswsock.dll",
            Self::Kernel => c"\\kernel32.dll",
            Self::Security => c"\\advapi32.dll",
            Self::User => c"\\user32.dll",
        }
    }

    /// The module, if something has loaded it already. This may be called while the loader is at work.
    fn loaded(self) -> HMODULE {
        if self == Self::WinSock1 {
            // SAFETY: the path ends in a zero.
            return self.path().map_or(null_mut(), |path| unsafe { GetModuleHandleA(path.as_ptr()) });
        }
        let name = self.file().to_bytes_with_nul().get(1..).unwrap_or_default();
        // SAFETY: the name ends in a zero.
        unsafe { GetModuleHandleA(name.as_ptr()) }
    }

    /// The module; it stays loaded, since pointers into it are kept.
    fn load(self) -> HMODULE {
        // SAFETY: the path ends in a zero.
        self.path().map_or(null_mut(), |path| unsafe { LoadLibraryA(path.as_ptr()) })
    }

    fn path(self) -> Option<[u8; PATH_MAX]> {
        let mut path = [0; PATH_MAX];
        // SAFETY: the buffer has as much room as is said.
        let length = unsafe { GetSystemDirectoryA(path.as_mut_ptr(), PATH_MAX as u32) } as usize;
        let file = self.file().to_bytes_with_nul();
        // A length of zero means that it failed, and one above the room how much it would have needed.
        path.get_mut(length..length + file.len()).filter(|_| length > 0)?.copy_from_slice(file);
        Some(path)
    }
}

/// Characters that the path of a DLL in the system's directory may have.
const PATH_MAX: usize = 512;
/// In place of an address: looked for, and not there.
const MISSING: usize = 1;

/// One function of the system's.
#[derive(Debug)]
pub(crate) struct Symbol {
    library: Library,
    name: &'static CStr,
    /// 0: not looked for yet. Relaxed: the address is all there is to see, and everybody finds the same one.
    address: AtomicUsize,
}

impl Symbol {
    pub(crate) const fn new(library: Library, name: &'static CStr) -> Self {
        Self { library, name, address: AtomicUsize::new(0) }
    }

    /// Where it is found.
    pub(crate) const fn library(&self) -> Library {
        self.library
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static CStr {
        self.name
    }

    /// Where its code is; `None` if this Windows does not have it.
    #[inline]
    pub(crate) fn address(&self) -> Option<usize> {
        let address = match self.address.load(Ordering::Relaxed) {
            0 => self.find(self.library.load()).unwrap_or_else(|| self.is(MISSING)),
            known => known,
        };
        (address != MISSING).then_some(address)
    }

    /// Its address if it is known or its library is loaded by now; this loads nothing.
    pub(crate) fn address_if_loaded(&self) -> Option<usize> {
        match self.address.load(Ordering::Relaxed) {
            0 => self.find(self.library.loaded()),
            MISSING => None,
            known => Some(known),
        }
    }

    /// Says where it is: what only the system's answer to a question tells.
    pub(crate) fn is(&self, address: usize) -> usize {
        self.address.store(address, Ordering::Relaxed);
        address
    }

    #[cold]
    fn find(&self, module: HMODULE) -> Option<usize> {
        // SAFETY: the name ends in a zero; the module is loaded, or null and refused.
        let found =
            unsafe { GetProcAddress(if module.is_null() { return None } else { module }, self.name.as_ptr().cast()) };
        found.map(|function| self.is(function as usize))
    }
}

/// `real! { WinSock2 fn listen(socket: SOCKET, backlog: i32) -> i32 = -1; }` declares `real::listen`, the system's, in a
/// module of the calling one. The last value is what the call returns where the system has no such function.
macro_rules! real {
    ($($library:ident fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty = $failure:expr;)*) => {
        /// The system's functions of the names that this module defines.
        #[allow(clippy::too_many_arguments, clippy::unused_unit, reason = "the prototypes are the system's")]
        #[allow(dead_code, reason = "some are wanted for their addresses alone")]
        pub(crate) mod real {
            use super::*;
            pub(crate) mod symbol {
                use crate::real::{Library, Symbol};
                $(#[allow(non_upper_case_globals)]
                pub(crate) static $name: Symbol = Symbol::new(
                    Library::$library,
                    match core::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) { Ok(name) => name, Err(_) => c"" }
                );)*
            }
            $(#[inline]
            pub(crate) unsafe fn $name($($argument: $type),*) -> $result {
                let Some(address) = symbol::$name.address() else {
                    crate::answer::set_error(windows_sys::Win32::Foundation::ERROR_PROC_NOT_FOUND);
                    return $failure;
                };
                // SAFETY: the function's documented prototype is the one written here.
                let function: unsafe extern "system" fn($($type),*) -> $result = unsafe { core::mem::transmute(address) };
                // SAFETY: the arguments are the caller's promise.
                unsafe { function($($argument),*) }
            })*
        }
    };
}
pub(crate) use real;
