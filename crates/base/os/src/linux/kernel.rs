//! Raw system calls. Named as their manual pages; every one returns the kernel's own error.
use crate::Errno;
use core::arch::asm;

/// The outcome of a raw call: the kernel's non-negative result, or its error.
pub type Result<T> = core::result::Result<T, Errno>;

/// Makes system call `number`.
///
/// # Safety
/// As the call's manual page demands of its arguments.
#[inline]
pub unsafe fn syscall6(number: i64, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> Result<usize> {
    let result: isize;
    // SAFETY: the x86-64 kernel ABI; rcx and r11 are declared clobbered; what the call does to memory is the caller's promise.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    if (-4095..0).contains(&result) { Err(Errno((-result) as i32)) } else { Ok(result as usize) }
}

macro_rules! call {
    ($number:ident $(, $argument:expr)*) => { call!(@ $number; $($argument as usize,)* ; 0, 0, 0, 0, 0, 0,) };
    (@ $number:ident; ; $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr,) => { syscall6(libc::$number, $a, $b, $c, $d, $e, $f) };
    (@ $number:ident; $a:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, 0, 0, 0, 0, 0) };
    (@ $number:ident; $a:expr, $b:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, $b, 0, 0, 0, 0) };
    (@ $number:ident; $a:expr, $b:expr, $c:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, $b, $c, 0, 0, 0) };
    (@ $number:ident; $a:expr, $b:expr, $c:expr, $d:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, $b, $c, $d, 0, 0) };
    (@ $number:ident; $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, $b, $c, $d, $e, 0) };
    (@ $number:ident; $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr, ; $($z:expr,)*) => { syscall6(libc::$number, $a, $b, $c, $d, $e, $f) };
}
pub(crate) use call;

/// recv(2).
pub fn recv(fd: i32, buf: &mut [u8], flags: i32) -> Result<usize> {
    // SAFETY: the kernel writes at most `buf.len()` bytes into the exclusive slice.
    unsafe { call!(SYS_recvfrom, fd, buf.as_mut_ptr(), buf.len(), flags, 0, 0) }
}
/// send(2).
pub fn send(fd: i32, buf: &[u8], flags: i32) -> Result<usize> {
    // SAFETY: the kernel reads `buf.len()` bytes of the slice.
    unsafe { call!(SYS_sendto, fd, buf.as_ptr(), buf.len(), flags, 0, 0) }
}
/// close(2).
pub fn close(fd: i32) -> Result<usize> {
    // SAFETY: no memory is involved; the caller owns the descriptor.
    unsafe { call!(SYS_close, fd) }
}
