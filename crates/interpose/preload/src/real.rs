//! The C library's own functions, which stand behind ours.
//!
//! Each is looked up once, all of them by the constructor; a call that comes earlier (another library's constructor) looks
//! its own one up. A function that this C library does not have answers ENOSYS.

use crate::answer;
use core::ffi::{CStr, c_void};
use vmmc_sync::{AtomicUsize, Ordering};

/// The next definition of one symbol after ours.
pub(crate) struct Symbol {
    name: &'static CStr,
    address: AtomicUsize,
}

impl Symbol {
    pub(crate) const fn new(name: &'static CStr) -> Self {
        Self { name, address: AtomicUsize::new(0) }
    }

    /// Where its code is. Relaxed: the address is all there is to see, and everybody finds the same one.
    #[inline]
    pub(crate) fn address(&self) -> *mut c_void {
        match self.address.load(Ordering::Relaxed) {
            0 => self.resolve(),
            address => core::ptr::with_exposed_provenance_mut(address),
        }
    }

    /// Looks the symbol up. `dlsym` takes the loader's lock, hence the constructor calls this before the program runs.
    #[cold]
    pub(crate) fn resolve(&self) -> *mut c_void {
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        let address = if found.is_null() {
            // SAFETY: takes our failure away, which the program must not find when it asks about its own.
            unsafe { libc::dlerror() };
            missing as *mut c_void
        } else {
            found
        };
        self.address.store(address.expose_provenance(), Ordering::Relaxed);
        address
    }
}

/// Stands in for every function that the C library does not have; the caller's arguments do not matter to it.
extern "C" fn missing() -> isize {
    answer::set_errno(libc::ENOSYS);
    -1
}

/// `real! { fn read(fd: c_int, ...) -> isize; }` declares `real::read`, the C library's, in a module of the calling one.
macro_rules! real {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        /// The C library's functions of the names that this module defines.
        #[allow(non_snake_case)]
        pub(crate) mod real {
            use super::*;
            mod symbol {
                use crate::real::Symbol;
                $(#[allow(non_upper_case_globals)]
                pub(super) static $name: Symbol = Symbol::new(
                    match core::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) { Ok(name) => name, Err(_) => c"" }
                );)*
            }
            /// What the constructor resolves.
            pub(crate) static ALL: &[&crate::real::Symbol] = &[$(&symbol::$name),*];
            $(#[inline]
            pub(crate) unsafe fn $name($($argument: $type),*) $(-> $result)? {
                // SAFETY: the symbol's prototype in the C library is the one written here; a missing function ignores its arguments.
                let function: unsafe extern "C" fn($($type),*) $(-> $result)? = unsafe { core::mem::transmute(symbol::$name.address()) };
                // SAFETY: the arguments are the caller's promise.
                unsafe { function($($argument),*) }
            })*
        }
    };
}
pub(crate) use real;

/// `also! { __read = read(fd: c_int, ...) -> isize; }` exports another name of one of our functions.
macro_rules! also {
    ($($alias:ident = $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        $(#[unsafe(no_mangle)]
        unsafe extern "C" fn $alias($($argument: $type),*) $(-> $result)? {
            // SAFETY: the program's arguments, for a function of the same contract.
            unsafe { $name($($argument),*) }
        })*
    };
}
pub(crate) use also;

/// `preceded! { by told_first; fn execve(...) -> c_int; }`: our function calls `told_first()` and then the C library's.
macro_rules! preceded {
    (by $before:path; $(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        crate::real::real! { $(fn $name($($argument: $type),*) $(-> $result)?;)* }
        $(#[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            crate::answer::told($before);
            // SAFETY: the program's arguments.
            unsafe { real::$name($($argument),*) }
        })*
    };
}
pub(crate) use preceded;
