//! Variadic functions whose arguments may be on the stack: Rust cannot define those, and need not. A detour keeps every
//! register that carries arguments, has something done first, and jumps to the C library's function with the stack as it was.

use crate::answer::told;
use crate::lifecycle::move_back;
use crate::real::Symbol;
use core::arch::naked_asm;
use core::ffi::{c_int, c_void};
use vmmc_protocol::Reason;
use vmmc_socket::process::before_exec;

static EXECL: Symbol = Symbol::new(c"execl");
static EXECLP: Symbol = Symbol::new(c"execlp");
static EXECLE: Symbol = Symbol::new(c"execle");
static DPRINTF: Symbol = Symbol::new(c"dprintf");
static DPRINTF_CHK: Symbol = Symbol::new(c"__dprintf_chk");

/// What the constructor resolves.
pub(crate) static ALL: &[&Symbol] = &[&EXECL, &EXECLP, &EXECLE, &DPRINTF, &DPRINTF_CHK];

/// `detour! { execl by before_execl; }`: `before_execl` gets the first argument and returns where to go on.
macro_rules! detour {
    ($($name:ident by $before:ident;)*) => {
        $(#[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            naked_asm!(
                "push rbp",
                "mov rbp, rsp",
                "sub rsp, 192",
                "mov [rsp], rdi",
                "mov [rsp + 8], rsi",
                "mov [rsp + 16], rdx",
                "mov [rsp + 24], rcx",
                "mov [rsp + 32], r8",
                "mov [rsp + 40], r9",
                "mov [rsp + 48], rax",
                "movups [rsp + 64], xmm0",
                "movups [rsp + 80], xmm1",
                "movups [rsp + 96], xmm2",
                "movups [rsp + 112], xmm3",
                "movups [rsp + 128], xmm4",
                "movups [rsp + 144], xmm5",
                "movups [rsp + 160], xmm6",
                "movups [rsp + 176], xmm7",
                "call {before}",
                "mov r11, rax",
                "mov rdi, [rsp]",
                "mov rsi, [rsp + 8]",
                "mov rdx, [rsp + 16]",
                "mov rcx, [rsp + 24]",
                "mov r8, [rsp + 32]",
                "mov r9, [rsp + 40]",
                "mov rax, [rsp + 48]",
                "movups xmm0, [rsp + 64]",
                "movups xmm1, [rsp + 80]",
                "movups xmm2, [rsp + 96]",
                "movups xmm3, [rsp + 112]",
                "movups xmm4, [rsp + 128]",
                "movups xmm5, [rsp + 144]",
                "movups xmm6, [rsp + 160]",
                "movups xmm7, [rsp + 176]",
                "leave",
                "jmp r11",
                before = sym $before,
            )
        })*
    };
}

detour! {
    execl by before_execl;
    execlp by before_execlp;
    execle by before_execle;
    dprintf by before_dprintf;
    __dprintf_chk by before_dprintf_chk;
}

extern "C" fn before_execl() -> *mut c_void {
    told(before_exec);
    EXECL.address()
}

extern "C" fn before_execlp() -> *mut c_void {
    told(before_exec);
    EXECLP.address()
}

extern "C" fn before_execle() -> *mut c_void {
    told(before_exec);
    EXECLE.address()
}

extern "C" fn before_dprintf(fd: c_int) -> *mut c_void {
    move_back(fd, Reason::STDIO);
    DPRINTF.address()
}

extern "C" fn before_dprintf_chk(fd: c_int) -> *mut c_void {
    move_back(fd, Reason::STDIO);
    DPRINTF_CHK.address()
}
