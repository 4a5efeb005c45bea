//! A process becomes two. `vfork` is `fork` here: a child that shared our memory would change our tables under us.

use crate::answer::{errno, set_errno, told};
use crate::lifecycle::{close, dup2};
use crate::makers::{new, open};
use crate::pairs::openpty;
use crate::real::{also, real};
use crate::start::_exit;
use core::ffi::{c_char, c_int, c_void};
use libc::pid_t;
use vmmc_socket::process as room;
use vmmc_sync::{AtomicU32, Ordering};

/// What `clone` runs in the child.
type Entry = extern "C" fn(*mut c_void) -> c_int;

real! {
    fn fork() -> pid_t;
    fn _Fork() -> pid_t;
    fn clone(
        entry: Option<Entry>, stack: *mut c_void, flags: c_int, argument: *mut c_void, parent_tid: usize, tls: usize,
        child_tid: usize,
    ) -> c_int;
    fn login_tty(fd: c_int) -> c_int;
}

/// Both sides of a fork that runs no `pthread_atfork` handlers.
pub(crate) fn around_fork(fork: impl FnOnce() -> isize) -> isize {
    told(room::before_fork);
    let pid = fork();
    match pid {
        0 => told(room::after_fork_in_child),
        _ => told(|| room::after_fork_in_parent(pid > 0)),
    }
    pid
}

/// Once, from the library's constructor: who registers first comes last before a fork and first after it. So none of the
/// program's own handlers, which may use descriptors and wait for threads that do, runs while the room's locks are held.
pub(crate) fn take_part_in_forks() {
    // SAFETY: the library stays loaded as long as the process lives.
    unsafe { libc::pthread_atfork(Some(prepare), Some(in_parent), Some(in_child)) };
}

/// `errno` as the program's handlers left it before the fork; changes while the room's locks are held for one.
static ERRNO: AtomicU32 = AtomicU32::new(0);

/// The C library does not say to `in_parent` whether it has forked; `errno`, which only a failure changes, does.
extern "C" fn prepare() {
    let before = errno();
    room::before_fork();
    ERRNO.store(before.cast_unsigned(), Ordering::Relaxed);
    set_errno(0);
}

extern "C" fn in_parent() {
    let (failed, before) = (errno(), ERRNO.load(Ordering::Relaxed).cast_signed());
    room::after_fork_in_parent(failed == 0);
    set_errno(if failed == 0 { before } else { failed });
}

extern "C" fn in_child() {
    room::after_fork_in_child();
    set_errno(ERRNO.load(Ordering::Relaxed).cast_signed());
}

/// The handlers above do our part; `vfork` and its kin become this.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fork() -> pid_t {
    // SAFETY: no arguments.
    unsafe { real::fork() }
}

/// `fork` without the `pthread_atfork` handlers.
#[unsafe(no_mangle)]
unsafe extern "C" fn _Fork() -> pid_t {
    // SAFETY: no arguments.
    around_fork(|| unsafe { real::_Fork() } as isize) as pid_t
}

/// Without shared memory it is a fork, whose child starts elsewhere. With it, a thread or a child that is about to execute.
#[unsafe(no_mangle)]
unsafe extern "C" fn clone(
    entry: Option<Entry>,
    stack: *mut c_void,
    flags: c_int,
    argument: *mut c_void,
    parent_tid: usize,
    tls: usize,
    child_tid: usize,
) -> c_int {
    let (Some(given), false, 0) = (entry, stack.is_null(), flags & libc::CLONE_VM) else {
        // SAFETY: the program's arguments.
        return unsafe { real::clone(entry, stack, flags, argument, parent_tid, tls, child_tid) };
    };
    let mut child = Child { entry: given, argument };
    let child = (&raw mut child).cast();
    // SAFETY: the program's arguments but for the entry, whose own argument the child finds in its copy of this frame.
    around_fork(|| unsafe { real::clone(Some(enter_child), stack, flags, child, parent_tid, tls, child_tid) } as isize)
        as c_int
}

struct Child {
    entry: Entry,
    argument: *mut c_void,
}

extern "C" fn enter_child(child: *mut c_void) -> c_int {
    told(room::after_fork_in_child);
    // SAFETY: `clone` passes its own `Child`, copied with all of the parent's memory.
    let Child { entry, argument } = unsafe { child.cast::<Child>().read() };
    entry(argument)
}

/// The C library's own would fork past us.
#[unsafe(no_mangle)]
unsafe extern "C" fn daemon(keep_directory: c_int, keep_streams: c_int) -> c_int {
    // SAFETY: constant strings and descriptors of our own making.
    unsafe {
        match fork() {
            -1 => return -1,
            0 => {}
            _ => _exit(0),
        }
        if libc::setsid() == -1 || (keep_directory == 0 && libc::chdir(c"/".as_ptr()) == -1) {
            return -1;
        }
        if keep_streams == 0 { streams_to_null() } else { 0 }
    }
}

/// Standard input, output and error become /dev/null.
unsafe fn streams_to_null() -> c_int {
    // SAFETY: a constant string and a descriptor of our own making.
    unsafe {
        let null = open(c"/dev/null".as_ptr(), libc::O_RDWR, 0);
        if null == -1 {
            return -1;
        }
        for stream in 0..=2 {
            dup2(null, stream);
        }
        if null > 2 {
            close(null);
        }
        0
    }
}

/// The C library's own would fork past us.
#[unsafe(no_mangle)]
unsafe extern "C" fn forkpty(
    master: *mut c_int,
    name: *mut c_char,
    termios: *const c_void,
    size: *const c_void,
) -> pid_t {
    let (mut ours, mut childs) = (-1, -1);
    // SAFETY: the program's arguments, and descriptors of our own making.
    unsafe {
        if openpty(&raw mut ours, &raw mut childs, name, termios, size) == -1 {
            return -1;
        }
        let pid = fork();
        match pid {
            -1 => {
                close(ours);
                close(childs);
            }
            0 => {
                close(ours);
                if login_tty(childs) != 0 {
                    _exit(1);
                }
            }
            _ => {
                *master = ours;
                close(childs);
            }
        }
        pid
    }
}

/// It puts the terminal at 0, 1 and 2 and closes `fd`.
#[unsafe(no_mangle)]
unsafe extern "C" fn login_tty(fd: c_int) -> c_int {
    // SAFETY: no memory is involved.
    let result = unsafe { real::login_tty(fd) };
    if result == 0 {
        for stream in 0..=2 {
            new(stream);
        }
    }
    result
}

also! {
    __fork = fork() -> pid_t;
    vfork = fork() -> pid_t;
    __vfork = fork() -> pid_t;
    __clone = clone(
        entry: Option<Entry>, stack: *mut c_void, flags: c_int, argument: *mut c_void, parent_tid: usize, tls: usize,
        child_tid: usize,
    ) -> c_int;
}
