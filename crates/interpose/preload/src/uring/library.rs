//! liburing's functions that hand entries to the kernel or make them: the library does that by system calls of its own.
//!
//! It is looked up when it is first needed: a program may load it long after us, or not at all. Its functions return a
//! negative error number and leave `errno` alone.

use super::entry::{Entry, Queue, SETUP_KNOWN, registered};
use super::rings::{Params, before_enter, before_register, made};
use crate::answer::told;
use core::ffi::{CStr, c_int, c_uint, c_void};
use core::ptr::null;
use std::ffi::CString;
use vmmc_protocol::Reason;
use vmmc_socket::process::leave_to_kernel;
use vmmc_sync::{AtomicUsize, Ordering};

/// The start of `struct io_uring`, which has been the same since liburing 2.0.
#[repr(C)]
struct Ring {
    words: [*mut u32; 2],
    mask: *const u32,
    more_words: [*mut u32; 4],
    entries: *mut Entry,
    /// Entries up to here have been handed over,
    handed: u32,
    /// and up to here filled in.
    filled: u32,
    rest_of_submission: [u64; 4],
    completion: [u64; 11],
    flags: c_uint,
}

const _: () = assert!(core::mem::offset_of!(Ring, flags) == 192);

/// Flag of `Ring`: an entry takes two places.
const LARGE_ENTRIES: c_uint = 1 << 10;

/// A function of liburing's.
struct Function {
    name: &'static CStr,
    address: AtomicUsize,
}

impl Function {
    const fn new(name: &'static CStr) -> Self {
        Self { name, address: AtomicUsize::new(0) }
    }

    /// Where its code is, behind our function of the name, which is at `own`.
    fn address(&self, own: usize) -> *mut c_void {
        let known = self.address.load(Ordering::Relaxed);
        if known != 0 {
            return core::ptr::with_exposed_provenance_mut(known);
        }
        let found = self.find(own);
        if found.is_null() {
            return unavailable as *mut c_void;
        }
        self.address.store(found.expose_provenance(), Ordering::Relaxed);
        found
    }

    /// Behind us, or in a library that was loaded for somebody alone.
    fn find(&self, own: usize) -> *mut c_void {
        // SAFETY: the name is a C string.
        let mut found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        if found.is_null() {
            for library in loaded() {
                // SAFETY: a C string; what is not loaded already is not loaded now.
                let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
                if handle.is_null() {
                    continue;
                }
                // SAFETY: a handle and a C string.
                found = unsafe { libc::dlsym(handle, self.name.as_ptr()) };
                if !found.is_null() && found.addr() != own {
                    // The handle stays, and so does the library.
                    break;
                }
                found = core::ptr::null_mut();
                // SAFETY: the handle that was opened above.
                unsafe { libc::dlclose(handle) };
            }
        }
        // SAFETY: takes our failures away, which the program must not find when it asks about its own.
        unsafe { libc::dlerror() };
        found
    }
}

/// The files of all libraries that are loaded.
fn loaded() -> Vec<CString> {
    unsafe extern "C" fn note(info: *mut libc::dl_phdr_info, _: usize, names: *mut c_void) -> c_int {
        // SAFETY: the loader's own description, and the list that it was given below.
        let (name, names) = unsafe { ((*info).dlpi_name, &mut *names.cast::<Vec<CString>>()) };
        if !name.is_null() {
            // SAFETY: the loader's name of a library.
            names.push(unsafe { CStr::from_ptr(name) }.to_owned());
        }
        0
    }
    let mut names = Vec::<CString>::new();
    // SAFETY: `note` gets the list, which lives as long as the call.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut names).cast()) };
    names.retain(|name| !name.is_empty());
    names
}

/// Stands in for liburing where there is none.
extern "C" fn unavailable() -> c_int {
    -libc::ENOSYS
}

/// What is queued is about to be handed to the kernel.
unsafe fn before_submit(ring: *const Ring) {
    // SAFETY: null or a ring of liburing's, made by it.
    let Some(ring) = (unsafe { ring.as_ref() }) else { return };
    if ring.handed == ring.filled || ring.mask.is_null() || ring.entries.is_null() {
        return;
    }
    if ring.flags & !SETUP_KNOWN != 0 {
        told(|| leave_to_kernel(Reason::IO_URING));
        return;
    }
    let shift = u32::from(ring.flags & LARGE_ENTRIES != 0);
    // SAFETY: liburing's own pointer into its mapping.
    let queue = Queue { entries: ring.entries, mask: unsafe { *ring.mask }, shift, order: null() };
    // SAFETY: liburing's mapping, and entries that it has not handed over yet.
    unsafe { queue.prepare(ring.handed, ring.filled) };
}

/// `first! { fn name(arguments) -> c_int by before; }`: our function does `before` and then calls liburing's.
macro_rules! first {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> c_int by $before:expr;)*) => {
        $(#[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            static FUNCTION: Function = Function::new(
                match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) { Ok(name) => name, Err(_) => c"" }
            );
            // SAFETY: the program's arguments.
            unsafe { $before };
            let address = FUNCTION.address($name as *const () as usize);
            // SAFETY: the symbol's prototype is the one written here.
            let function: unsafe extern "C" fn($($type),*) -> c_int = unsafe { core::mem::transmute(address) };
            // SAFETY: the program's arguments.
            unsafe { function($($argument),*) }
        })*
    };
}

first! {
    fn io_uring_submit(ring: *mut Ring) -> c_int by before_submit(ring);
    fn io_uring_submit_and_wait(ring: *mut Ring, count: c_uint) -> c_int by before_submit(ring);
    fn io_uring_submit_and_get_events(ring: *mut Ring) -> c_int by before_submit(ring);
    fn io_uring_submit_and_wait_timeout(
        ring: *mut Ring, completion: *mut c_void, count: c_uint, time: *mut c_void, mask: *mut c_void
    ) -> c_int by before_submit(ring);
    fn io_uring_submit_and_wait_min_timeout(
        ring: *mut Ring, completion: *mut c_void, count: c_uint, time: *mut c_void, least: c_uint, mask: *mut c_void
    ) -> c_int by before_submit(ring);
    fn io_uring_submit_and_wait_reg(
        ring: *mut Ring, completion: *mut c_void, count: c_uint, place: c_int
    ) -> c_int by before_submit(ring);
    fn io_uring_wait_cqes(
        ring: *mut Ring, completion: *mut c_void, count: c_uint, time: *mut c_void, mask: *mut c_void
    ) -> c_int by before_submit(ring);
    fn io_uring_wait_cqes_min_timeout(
        ring: *mut Ring, completion: *mut c_void, count: c_uint, time: *mut c_void, least: c_uint, mask: *mut c_void
    ) -> c_int by before_submit(ring);
    fn io_uring_wait_cqe_timeout(
        ring: *mut Ring, completion: *mut c_void, time: *mut c_void
    ) -> c_int by before_submit(ring);
    fn io_uring_register_files(
        ring: *mut Ring, files: *const c_int, count: c_uint
    ) -> c_int by told(|| registered(files, count));
    fn io_uring_register_files_tags(
        ring: *mut Ring, files: *const c_int, tags: *const u64, count: c_uint
    ) -> c_int by told(|| registered(files, count));
    fn io_uring_register_files_update(
        ring: *mut Ring, first: c_uint, files: *const c_int, count: c_uint
    ) -> c_int by told(|| registered(files, count));
    fn io_uring_register_files_update_tag(
        ring: *mut Ring, first: c_uint, files: *const c_int, tags: *const u64, count: c_uint
    ) -> c_int by told(|| registered(files, count));
    fn io_uring_register(
        fd: c_int, operation: c_uint, argument: *const c_void, count: c_uint
    ) -> c_int by before_register(operation, argument, count);
    fn io_uring_enter(
        fd: c_int, count: c_uint, least: c_uint, flags: c_uint, mask: *mut c_void
    ) -> c_int by before_enter(fd, count, flags);
    fn io_uring_enter2(
        fd: c_int, count: c_uint, least: c_uint, flags: c_uint, mask: *mut c_void, size: usize
    ) -> c_int by before_enter(fd, count, flags);
}

static SETUP: Function = Function::new(c"io_uring_setup");

/// A ring that the program will drive itself.
#[unsafe(no_mangle)]
unsafe extern "C" fn io_uring_setup(entries: c_uint, params: *mut Params) -> c_int {
    // SAFETY: the symbol's prototype is the one written here.
    let function: unsafe extern "C" fn(c_uint, *mut Params) -> c_int =
        unsafe { core::mem::transmute(SETUP.address(io_uring_setup as *const () as usize)) };
    // SAFETY: the program's arguments.
    let fd = unsafe { function(entries, params) };
    if fd >= 0 {
        // SAFETY: the kernel has just filled it in.
        unsafe { made(fd, params) };
    }
    fd
}
