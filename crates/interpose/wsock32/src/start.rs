//! The library's own beginning: the loader calls it before the program's first instruction.

use core::arch::global_asm;
use core::ffi::c_void;
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::SystemServices::DLL_PROCESS_ATTACH;

/// Only imports are redirected here, which loads nothing; everything else waits until the program makes its first socket.
/// There is nothing to do at the end: a process that ends has said so in `ExitProcess`, and the library is never unloaded.
extern "system" fn main(_: HMODULE, reason: u32, _: *mut c_void) -> i32 {
    if reason == DLL_PROCESS_ATTACH {
        crate::redirect::refresh();
    }
    1
}

// As a label, since a `no_mangle` function would be an export.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl DllMain", "DllMain: jmp {main}", main = sym main);
#[cfg(target_arch = "x86")]
global_asm!(".globl _DllMain@12", "_DllMain@12: jmp {main}", main = sym main);
