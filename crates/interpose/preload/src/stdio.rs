//! Streams of the C library. They read and write their descriptors past us, so a connection moves back before it gets one.

use crate::answer::{asked, told};
use crate::lifecycle::move_back;
use crate::makers::new;
use crate::real::{also, real};
use core::ffi::{c_char, c_int, c_void};
use libc::FILE;
use vmmc_protocol::Reason;
use vmmc_socket::lifecycle::{before_close, is_tracked};
use vmmc_socket::process::before_spawn;

real! {
    fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE;
    fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE;
    fn setmntent(path: *const c_char, mode: *const c_char) -> *mut FILE;
    fn tmpfile() -> *mut FILE;
    fn tmpfile64() -> *mut FILE;
    fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE;
    fn opendir(path: *const c_char) -> *mut libc::DIR;
    fn fdopen(fd: c_int, mode: *const c_char) -> *mut FILE;
    fn freopen(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE;
    fn freopen64(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE;
    fn fclose(stream: *mut FILE) -> c_int;
    fn _IO_file_attach(stream: *mut FILE, fd: c_int) -> *mut FILE;
    fn vdprintf(fd: c_int, format: *const c_char, arguments: *mut c_void) -> c_int;
    fn __vdprintf_chk(fd: c_int, flag: c_int, format: *const c_char, arguments: *mut c_void) -> c_int;
    fn backtrace_symbols_fd(addresses: *const *mut c_void, count: c_int, fd: c_int);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the program's arguments.
    unsafe { new_stream(real::fopen(path, mode)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the program's arguments.
    unsafe { new_stream(real::fopen64(path, mode)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn setmntent(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the program's arguments.
    unsafe { new_stream(real::setmntent(path, mode)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tmpfile() -> *mut FILE {
    // SAFETY: no arguments.
    unsafe { new_stream(real::tmpfile()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tmpfile64() -> *mut FILE {
    // SAFETY: no arguments.
    unsafe { new_stream(real::tmpfile64()) }
}

/// A child executes a shell.
#[unsafe(no_mangle)]
unsafe extern "C" fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE {
    told(before_spawn);
    // SAFETY: the program's arguments.
    unsafe { new_stream(real::popen(command, mode)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn opendir(path: *const c_char) -> *mut libc::DIR {
    // SAFETY: the program's arguments.
    let directory = unsafe { real::opendir(path) };
    if !directory.is_null() {
        // SAFETY: just opened.
        new(unsafe { libc::dirfd(directory) });
    }
    directory
}

/// Reports the descriptor of a stream that has just been opened, if it was.
unsafe fn new_stream(stream: *mut FILE) -> *mut FILE {
    if !stream.is_null() {
        // SAFETY: a stream that the C library has just made.
        new(unsafe { libc::fileno(stream) });
    }
    stream
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdopen(fd: c_int, mode: *const c_char) -> *mut FILE {
    move_back(fd, Reason::STDIO);
    // SAFETY: the program's arguments.
    unsafe { real::fdopen(fd, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn _IO_file_attach(stream: *mut FILE, fd: c_int) -> *mut FILE {
    move_back(fd, Reason::STDIO);
    // SAFETY: the program's arguments.
    unsafe { real::_IO_file_attach(stream, fd) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn freopen(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE {
    // SAFETY: the program's arguments.
    unsafe {
        let _ = closing(stream);
        new_stream(real::freopen(path, mode, stream))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn freopen64(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE {
    // SAFETY: the program's arguments.
    unsafe {
        let _ = closing(stream);
        new_stream(real::freopen64(path, mode, stream))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fclose(stream: *mut FILE) -> c_int {
    // SAFETY: the program's arguments.
    unsafe {
        let _ = closing(stream);
        real::fclose(stream)
    }
}

/// The stream's descriptor is about to be closed within the C library.
unsafe fn closing(stream: *mut FILE) -> Option<isize> {
    let mut fd = -1;
    // SAFETY: the program's open stream; one without a descriptor answers -1.
    told(|| fd = unsafe { libc::fileno(stream) });
    if is_tracked(fd) { asked(|| before_close(fd)) } else { None }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn vdprintf(fd: c_int, format: *const c_char, arguments: *mut c_void) -> c_int {
    move_back(fd, Reason::STDIO);
    // SAFETY: the program's arguments.
    unsafe { real::vdprintf(fd, format, arguments) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __vdprintf_chk(fd: c_int, flag: c_int, format: *const c_char, arguments: *mut c_void) -> c_int {
    move_back(fd, Reason::STDIO);
    // SAFETY: the program's arguments.
    unsafe { real::__vdprintf_chk(fd, flag, format, arguments) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn backtrace_symbols_fd(addresses: *const *mut c_void, count: c_int, fd: c_int) {
    move_back(fd, Reason::STDIO);
    // SAFETY: the program's arguments.
    unsafe { real::backtrace_symbols_fd(addresses, count, fd) }
}

also! {
    _IO_fopen = fopen(path: *const c_char, mode: *const c_char) -> *mut FILE;
    _IO_fdopen = fdopen(fd: c_int, mode: *const c_char) -> *mut FILE;
    _IO_fclose = fclose(stream: *mut FILE) -> c_int;
    _IO_popen = popen(command: *const c_char, mode: *const c_char) -> *mut FILE;
    __setmntent = setmntent(path: *const c_char, mode: *const c_char) -> *mut FILE;
    __backtrace_symbols_fd = backtrace_symbols_fd(addresses: *const *mut c_void, count: c_int, fd: c_int);
}
