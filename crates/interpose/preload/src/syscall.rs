//! `syscall(2)`'s function: a number that stands for one of our calls goes to it, all others pass.

use crate::alone::{setns, unshare};
use crate::answer::told;
use crate::arguments::can_read;
use crate::lifecycle::{accept, accept4, close, close_range, connect, dup, dup2, dup3, listen, socket};
use crate::makers::new;
use crate::message::{recvmmsg, recvmsg, sendmmsg, sendmsg};
use crate::options::{fcntl, getsockopt, ioctl, setsockopt, shutdown};
use crate::pairs::{pipe, pipe2, socketpair};
use crate::process::around_fork;
use crate::real::real;
use crate::sandbox::{around_sandbox, operation_installs, prctl};
use crate::taken::taken;
use crate::wait::{
    epoll_create, epoll_create1, epoll_ctl, epoll_pwait, epoll_pwait2, epoll_wait, poll, ppoll, pselect, select,
};
use crate::{data, exec, uring};
use core::ffi::{c_int, c_long, c_uint};
use vmmc_socket::process::before_exit;

real! {
    fn syscall(number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> c_long;
}

#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> c_long {
    let arguments = [a, b, c, d, e, f];
    // SAFETY: the program's arguments, of the call that the number names.
    unsafe {
        if let Some(result) =
            moves_bytes(number, arguments).or_else(|| waits(number, arguments)).or_else(|| manages(number, arguments))
        {
            return result as c_long;
        }
        let pass = || real::syscall(number, a, b, c, d, e, f);
        match number {
            libc::SYS_exit_group => told(before_exit),
            libc::SYS_io_uring_enter => uring::before_enter(a as c_int, b as c_uint, d as c_uint),
            libc::SYS_io_uring_register => uring::before_register(b as c_uint, c as _, d as c_uint),
            libc::SYS_fork | libc::SYS_vfork => {
                return around_fork(|| real::syscall(libc::SYS_fork, 0, 0, 0, 0, 0, 0) as isize) as c_long;
            }
            libc::SYS_seccomp if operation_installs(a as c_uint, c) => {
                let result = around_sandbox(pass);
                if result > 0 && b & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as usize != 0 {
                    new(result as c_int);
                }
                return result;
            }
            libc::SYS_landlock_restrict_self => return around_sandbox(pass),
            libc::SYS_clone if a & libc::CLONE_VM as usize == 0 => return around_fork(|| pass() as isize) as c_long,
            libc::SYS_clone3 if b >= size_of::<u64>() && *(a as *const u64) & libc::CLONE_VM as u64 == 0 => {
                return around_fork(|| pass() as isize) as c_long;
            }
            _ => {}
        }
        let result = pass();
        if makes(number) {
            new(result as c_int);
        }
        if number == libc::SYS_pidfd_getfd {
            taken(result as c_int);
        }
        if number == libc::SYS_io_uring_setup && result >= 0 {
            uring::made(result as c_int, b as _);
        }
        result
    }
}

unsafe fn moves_bytes(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> Option<isize> {
    let fd = a as c_int;
    // SAFETY: the caller's promise.
    Some(unsafe {
        match number {
            libc::SYS_read => data::read(fd, b as _, c),
            libc::SYS_write => data::write(fd, b as _, c),
            libc::SYS_readv => data::readv(fd, b as _, c as c_int),
            libc::SYS_writev => data::writev(fd, b as _, c as c_int),
            libc::SYS_preadv2 => data::preadv2(fd, b as _, c as c_int, d as _, f as c_int),
            libc::SYS_pwritev2 => data::pwritev2(fd, b as _, c as c_int, d as _, f as c_int),
            libc::SYS_recvfrom => data::recvfrom(fd, b as _, c, d as c_int, e as _, f as _),
            libc::SYS_sendto => data::sendto(fd, b as _, c, d as c_int, e as _, f as _),
            libc::SYS_recvmsg => recvmsg(fd, b as _, c as c_int),
            libc::SYS_sendmsg => sendmsg(fd, b as _, c as c_int),
            libc::SYS_recvmmsg => recvmmsg(fd, b as _, c as c_uint, d as c_int, e as _) as isize,
            libc::SYS_sendmmsg => sendmmsg(fd, b as _, c as c_uint, d as c_int) as isize,
            libc::SYS_sendfile => data::sendfile(fd, b as c_int, c as _, d),
            libc::SYS_splice => data::splice(fd, b as _, c as c_int, d as _, e, f as c_uint),
            _ => return None,
        }
    })
}

/// The raw calls' signal sets are the first 8 bytes of the C library's; pselect6 wraps its own in a structure.
unsafe fn waits(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> Option<isize> {
    let fd = a as c_int;
    // The C library's functions read these themselves, where the kernel would say EFAULT.
    let (time, mask) = match number {
        libc::SYS_ppoll => (c, 0),
        libc::SYS_select => (e, 0),
        libc::SYS_pselect6 => (e, f),
        _ => (0, 0),
    };
    let is_given = |place: usize| place == 0 || can_read(place as *const libc::timespec);
    if !is_given(time) || !is_given(mask) {
        return None;
    }
    // SAFETY: the caller's promise.
    let result = unsafe {
        match number {
            libc::SYS_poll => poll(a as _, b as _, c as c_int),
            libc::SYS_ppoll => ppoll(a as _, b as _, c as _, d as _),
            libc::SYS_select => select(fd, b as _, c as _, d as _, e as _),
            libc::SYS_pselect6 => pselect(
                fd,
                b as _,
                c as _,
                d as _,
                e as _,
                if f == 0 { core::ptr::null() } else { *(f as *const *const libc::sigset_t) },
            ),
            libc::SYS_epoll_create => epoll_create(fd),
            libc::SYS_epoll_create1 => epoll_create1(fd),
            libc::SYS_epoll_ctl => epoll_ctl(fd, b as c_int, c as c_int, d as _),
            libc::SYS_epoll_wait => epoll_wait(fd, b as _, c as c_int, d as c_int),
            libc::SYS_epoll_pwait => epoll_pwait(fd, b as _, c as c_int, d as c_int, e as _),
            libc::SYS_epoll_pwait2 => epoll_pwait2(fd, b as _, c as c_int, d as _, e as _),
            _ => return None,
        }
    };
    Some(result as isize)
}

unsafe fn manages(number: c_long, [a, b, c, d, e, _]: [usize; 6]) -> Option<isize> {
    let fd = a as c_int;
    // SAFETY: the caller's promise.
    let result = unsafe {
        match number {
            libc::SYS_socket => socket(fd, b as c_int, c as c_int),
            libc::SYS_socketpair => socketpair(fd, b as c_int, c as c_int, d as _),
            libc::SYS_connect => connect(fd, b as _, c as _),
            libc::SYS_listen => listen(fd, b as c_int),
            libc::SYS_accept => accept(fd, b as _, c as _),
            libc::SYS_accept4 => accept4(fd, b as _, c as _, d as c_int),
            libc::SYS_close => close(fd),
            libc::SYS_close_range => close_range(a as c_uint, b as c_uint, c as c_int),
            libc::SYS_dup => dup(fd),
            libc::SYS_dup2 => dup2(fd, b as c_int),
            libc::SYS_dup3 => dup3(fd, b as c_int, c as c_int),
            libc::SYS_fcntl => fcntl(fd, b as c_int, c),
            libc::SYS_ioctl => ioctl(fd, b as _, c),
            libc::SYS_shutdown => shutdown(fd, b as c_int),
            libc::SYS_setsockopt => setsockopt(fd, b as c_int, c as c_int, d as _, e as _),
            libc::SYS_getsockopt => getsockopt(fd, b as c_int, c as c_int, d as _, e as _),
            libc::SYS_pipe => pipe(a as _),
            libc::SYS_pipe2 => pipe2(a as _, b as c_int),
            libc::SYS_execve => exec::execve(a as _, b as _, c as _),
            libc::SYS_unshare => unshare(fd),
            libc::SYS_setns => setns(fd, b as c_int),
            libc::SYS_prctl => prctl(fd, b, c, d, e),
            libc::SYS_execveat => exec::execveat(fd, b as _, c as _, d as _, e as c_int),
            _ => return None,
        }
    };
    Some(result as isize)
}

/// Whether the call's result is a new descriptor.
fn makes(number: c_long) -> bool {
    matches!(
        number,
        libc::SYS_open
            | libc::SYS_openat
            | libc::SYS_openat2
            | libc::SYS_creat
            | libc::SYS_open_by_handle_at
            | libc::SYS_open_tree
            | libc::SYS_fsopen
            | libc::SYS_fsmount
            | libc::SYS_fspick
            | libc::SYS_mq_open
            | libc::SYS_memfd_create
            | libc::SYS_memfd_secret
            | libc::SYS_eventfd
            | libc::SYS_eventfd2
            | libc::SYS_timerfd_create
            | libc::SYS_signalfd
            | libc::SYS_signalfd4
            | libc::SYS_inotify_init
            | libc::SYS_inotify_init1
            | libc::SYS_fanotify_init
            | libc::SYS_pidfd_open
            | libc::SYS_perf_event_open
            | libc::SYS_io_uring_setup
            | libc::SYS_userfaultfd
            | libc::SYS_landlock_create_ruleset
    )
}
