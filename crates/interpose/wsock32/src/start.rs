//! The library's own beginning: the loader calls it before the program's first instruction.

use crate::{modules, redirect};
use core::arch::global_asm;
use core::ffi::c_void;
use vmmc_os::image::MARK;
use vmmc_sync::{AtomicUsize, Ordering};
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::SystemServices::DLL_PROCESS_ATTACH;

/// A section of its own, by whose name the library is known.
#[unsafe(link_section = ".vmmc")]
static MARKED: [u8; 8] = *MARK;

/// 1: another file of this library was in the process before: the program may have one beside it and get one by `vmmc run`.
static SECOND: AtomicUsize = AtomicUsize::new(0);

/// Whether this one keeps out of the way: all of its exports are the system's, and the first one does the work.
pub(crate) fn is_second() -> bool {
    SECOND.load(Ordering::Relaxed) != 0
}

/// Only imports are redirected here, which loads nothing; everything else waits until the program makes its first socket.
/// There is nothing to do at the end: a process that ends has said so in `ExitProcess`, and the library is never unloaded.
extern "system" fn main(_: HMODULE, reason: u32, _: *mut c_void) -> i32 {
    if reason == DLL_PROCESS_ATTACH {
        // The linker keeps what is named somewhere.
        core::hint::black_box(&raw const MARKED);
        SECOND.store(usize::from(modules::has_another()), Ordering::Relaxed);
        redirect::refresh();
    }
    1
}

// As a label, since a `no_mangle` function would be an export.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl DllMain", "DllMain: jmp {main}", main = sym main);
#[cfg(target_arch = "x86")]
global_asm!(".globl _DllMain@12", "_DllMain@12: jmp {main}", main = sym main);
