//! Descriptors come, are copied, and go.
use crate::connection::{Connection, flag, kind, phase};
use crate::wait::registration;
use crate::{Ending, arena, end, family, pairing, process, roads, send, settings, table};
use vmmc_os::{Errno, abi, kernel};
use vmmc_protocol::Reason;
use vmmc_stream::Road;
use vmmc_sync::Ordering;

#[cfg(target_os = "linux")]
pub use crate::close_range::close_range;

fn enter(fd: i32, kind: u32, flags: u32) {
    made(fd);
    if settings::disabled() || process::is_sandboxed() || !table::holds(fd) {
        return;
    }
    let Some(connection) = arena::take() else { return };
    for share in &connection.shares {
        share.store(0, Ordering::Relaxed);
    }
    reset(connection, fd, kind, flags);
    let _counting = process::counting();
    family::keep(connection);
    table::set_socket(fd, connection);
}

fn reset(connection: &Connection, fd: i32, kind: u32, flags: u32) {
    connection.send.reset(0);
    connection.recv.reset(0);
    for word in [
        &connection.send_error,
        &connection.recv_error,
        &connection.forbidden,
        &connection.spin,
        &connection.ask_after,
        &connection.touched,
        &connection.sleepers,
        &connection.kept,
    ] {
        word.store(0, Ordering::Relaxed);
    }
    connection.asked_at.store(0, Ordering::Relaxed);
    connection.heard.store(0, Ordering::Relaxed);
    connection.told.store(0, Ordering::Relaxed);
    connection.writable_at.store(0, Ordering::Relaxed);
    connection.flags.store(flags, Ordering::Relaxed);
    connection.references.store(1, Ordering::Relaxed);
    connection.phase.store(phase::NONE, Ordering::Relaxed);
    let record = &connection.record;
    record.descriptor.store(fd as u32, Ordering::Relaxed);
    record.pid.store(process::id(), Ordering::Relaxed);
    record.family.store(0, Ordering::Relaxed);
    record.ports.store(0, Ordering::Relaxed);
    record.paired.store(0, Ordering::Relaxed);
    for direction in [&record.outgoing, &record.incoming] {
        for word in [
            &direction.kernel_bytes,
            &direction.kernel_messages,
            &direction.vmmc_bytes,
            &direction.vmmc_messages,
            &direction.switches,
            &direction.doorbells,
            &direction.sleeps,
        ] {
            word.store(0, Ordering::Relaxed);
        }
        direction.road.store(0, Ordering::Relaxed);
        direction.reason.store(u32::from(Reason::YOUNG.number()), Ordering::Relaxed);
    }
    record.kind.store(kind, Ordering::Release);
}

fn nonblocking_flag(flags: i32) -> u32 {
    if flags & abi::SOCK_NONBLOCK != 0 { flag::NONBLOCKING } else { 0 }
}

/// `socket()` returned `fd`. `kind` with SOCK_NONBLOCK/SOCK_CLOEXEC.
pub fn opened(fd: i32, domain: i32, kind: i32, protocol: i32) {
    let stream = kind & 0xf == abi::SOCK_STREAM && (protocol == 0 || protocol == abi::IPPROTO_TCP);
    if stream && (domain == abi::AF_INET || domain == abi::AF_INET6) {
        enter(fd, kind::UNCONNECTED, nonblocking_flag(kind));
    } else {
        made(fd);
    }
}

/// Any other call returned a new descriptor: whatever stood at this number is gone.
pub fn made(fd: i32) {
    match table::entry(fd) {
        table::Entry::None => registration::forget(fd),
        table::Entry::Socket(connection) => {
            registration::forget(fd);
            end::forget(connection, fd, true);
        }
        table::Entry::Epoll(set) => {
            registration::closed(set);
            table::clear(fd);
        }
        table::Entry::Plain(connection) => end::forget_plain(connection, fd),
        table::Entry::Internal => table::clear(fd),
    }
}

/// `connect()` has returned `result` (0 or a positive errno; EINPROGRESS too).
pub fn connected(fd: i32, result: i32) {
    if let Some(connection) = table::lookup(fd)
        && (result == 0 || result == abi::EINPROGRESS || result == abi::EINTR)
        && connection.record.kind.load(Ordering::Relaxed) == kind::UNCONNECTED
    {
        connection.set(flag::ACTIVE, true);
        connection.record.kind.store(kind::CONNECTION, Ordering::Relaxed);
    }
}

/// `sendto(.., MSG_FASTOPEN, ..)` has returned `result` (as for [`connected`]), with so many bytes sent.
pub fn connected_by_sending(fd: i32, result: i32, sent: usize) {
    if let Some(connection) = table::lookup(fd)
        && connection.record.kind.load(Ordering::Relaxed) == kind::UNCONNECTED
    {
        connected(fd, result);
        if sent > 0 {
            send::sent_by_kernel(connection, sent);
        }
    }
}

/// `connect()` to AF_UNSPEC is about to be called: it resets the connection, and the socket can then be connected anew.
pub fn dissolving(fd: i32) {
    if let Some(connection) = table::lookup(fd) {
        end::before_dissolve(connection);
    }
}

/// `connect()` to AF_UNSPEC succeeded.
pub fn dissolved(fd: i32) {
    let Some(connection) = table::lookup(fd) else { return };
    let gates = (connection.send_gate.alone(process::id()), connection.recv_gate.alone(process::id()));
    pairing::release(connection);
    arena::undisturbed(|| connection.generation.fetch_add(1, Ordering::Relaxed));
    let references = connection.references.load(Ordering::Relaxed);
    let kept = connection.flags.load(Ordering::Relaxed) & (flag::NONBLOCKING | flag::WATCHED);
    reset(connection, fd, kind::UNCONNECTED, kept);
    connection.references.store(references, Ordering::Relaxed);
    drop(gates);
}

/// `listen()` succeeded.
pub fn listening(fd: i32) {
    if let Some(connection) = table::lookup(fd) {
        connection.record.kind.store(kind::LISTENING, Ordering::Relaxed);
    }
}

/// `accept4(listener, .., flags)` returned `fd`. A listener that was inherited, or received from another process, is not in the
/// table; what it accepts is this process's alone all the same.
pub fn accepted(listener: i32, fd: i32, flags: i32) {
    let listener = table::lookup(listener);
    if listener.is_none() && (settings::disabled() || process::is_sandboxed() || !kernel::is_tcp(fd)) {
        return made(fd);
    }
    enter(fd, kind::CONNECTION, nonblocking_flag(flags));
    if let (Some(listener), Some(connection)) = (listener, table::lookup(fd)) {
        connection.set(flag::LEFT_ASKED, listener.has(flag::LEFT_ASKED));
        // With its options a listener hands on what only the kernel's road has.
        if listener.forbidden.load(Ordering::Relaxed) == KERNEL_FEATURE {
            connection.forbid(Reason::KERNEL_FEATURE);
        }
    }
}

const KERNEL_FEATURE: u32 = Reason::KERNEL_FEATURE.number() as u32;

/// Before the kernel's close of `fd`. `Failed(EBADF)` for a descriptor of our own, else `Bypass`.
pub fn before_close(fd: i32) -> Ending {
    match table::entry(fd) {
        table::Entry::None => registration::forget(fd),
        table::Entry::Internal => return Ending::Failed(Errno(abi::EBADF)),
        table::Entry::Epoll(set) => {
            registration::forget(fd);
            registration::closed(set);
            table::clear(fd);
        }
        table::Entry::Socket(connection) => {
            registration::forget(fd);
            end::forget(connection, fd, false);
        }
        table::Entry::Plain(connection) => end::forget_plain(connection, fd),
    }
    Ending::Bypass
}

/// `dup`, `dup2`, `dup3`, `F_DUPFD` gave `new` the open socket of `old`. For dup2/dup3 call [`before_replace`] first.
pub fn duplicated(old: i32, new: i32) {
    process::outlive_exec();
    made(new);
    match table::entry(old) {
        table::Entry::Socket(connection) if table::holds(new) => {
            let _counting = process::counting();
            family::hold(connection);
            table::set_socket(new, connection);
        }
        // A number beyond the table: the copy could not be followed, so the kernel road alone is safe.
        table::Entry::Socket(_) => roads::move_back(old, Reason::DESCRIPTOR_PASSED),
        table::Entry::Epoll(set) => {
            registration::shared(set);
            table::set_epoll(new, set);
        }
        _ => {}
    }
}

/// Before dup2/dup3 onto `new`: as for close. `Failed(EBADF)` if `new` is a descriptor of our own.
pub fn before_replace(new: i32) -> Ending {
    before_close(new)
}

/// Moves both directions back to the kernel road, for good, before a call that only the kernel can do on `fd`.
/// Returns once it is safe to make the call. No effect on what is not a connection.
pub fn move_back(fd: i32, reason: Reason) {
    roads::move_back(fd, reason);
}

/// Whether `fd` is one of the library's own descriptors, which the program must not see or touch.
#[must_use]
pub fn is_internal(fd: i32) -> bool {
    matches!(table::entry(fd), table::Entry::Internal)
}

/// Wait-free: whether `fd` is in the table as a TCP socket (the faces' fast way out when it is not).
#[must_use]
#[inline]
pub fn is_tracked(fd: i32) -> bool {
    table::lookup(fd).is_some()
}

/// Whether what `fd` receives comes from the kernel for good, which may then have something to say beside the data.
#[must_use]
pub fn is_moved_back(fd: i32) -> bool {
    table::lookup(fd)
        .is_some_and(|connection| connection.has(flag::HANDED_OVER) && connection.recv.road() == Road::Kernel)
}

/// Calls `visit` for every TCP socket in the table.
pub fn each_tracked(mut visit: impl FnMut(i32)) {
    table::each_in(0, u32::MAX, |fd, entry| {
        if let table::Entry::Socket(_) = entry {
            visit(fd);
        }
    });
}
