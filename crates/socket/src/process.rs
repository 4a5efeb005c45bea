//! The process starts, forks, executes another program, ends.
use crate::connection::{Connection, phase};
use crate::lock::{Held, Lock};
use crate::wait::{registration, shared};
use crate::{arena, end, family, gate, roads, service, settings, table};
use vmmc_os::{descriptor::is_inheritable, process};
use vmmc_protocol::Reason;
use vmmc_sync::{AtomicU32, Ordering};

static ID: AtomicU32 = AtomicU32::new(0);
static EXITING: AtomicU32 = AtomicU32::new(0);
static SANDBOXED: AtomicU32 = AtomicU32::new(0);
/// 1 while an exec is prepared.
static ABOUT_TO_EXECUTE: AtomicU32 = AtomicU32::new(0);
/// 1 between the preparations of an exec and the first sign that it has failed.
static EXECUTING: AtomicU32 = AtomicU32::new(0);

/// Held while an entry of the table and the references that it stands for change together, and across a fork: the child's
/// table then holds what was counted for it, whatever the parent's other threads do.
static COUNTING: Lock<()> = Lock::new(());

/// Until dropped, no fork comes between a table entry and its reference. `None`: a signal handler has interrupted its own
/// thread in the midst of that, or of a fork, and goes on without.
pub(crate) fn counting() -> Option<Held<'static, ()>> {
    (!COUNTING.is_own()).then(|| COUNTING.hold())
}

/// This process's number, remembered (fork makes the child remember its own).
#[inline(always)]
pub(crate) fn id() -> u32 {
    ID.load(Ordering::Relaxed)
}

/// Once, from the library's constructor. The order matters: the number is in every gate, settings are asked by the table's
/// header, and the table comes before anything can be entered.
pub fn start() {
    ID.store(process::id(), Ordering::Relaxed);
    settings::start();
    // A process number that a gate can't hold would look like a dead holder's.
    if !settings::disabled() && id() <= gate::HOLDER {
        table::start();
    }
}

/// Whether this process has sandboxed itself: nothing new is begun in it, and every call is the kernel's.
#[inline]
pub(crate) fn is_sandboxed() -> bool {
    SANDBOXED.load(Ordering::Relaxed) != 0
}

/// Whether a call on some descriptor of this process may be ours to do.
pub fn is_at_work() -> bool {
    table::is_used() && !is_sandboxed()
}

/// Before the process restricts its own system calls (seccomp, landlock), or does what the library cannot see: afterwards the
/// program's calls reach the kernel as the program makes them, and the library makes none of its own. Every connection moves
/// back to the kernel road, for good and for this reason. `false`: it was so already.
pub fn leave_to_kernel(reason: Reason) -> bool {
    if is_guest() || SANDBOXED.swap(1, Ordering::SeqCst) != 0 {
        return false;
    }
    outlive_exec();
    for move_back in [roads::move_incoming_first, roads::move_back] {
        each_socket(|fd, _| move_back(fd, reason));
    }
    table::each_in(0, u32::MAX, |fd, entry| match entry {
        table::Entry::Socket(connection) => {
            // The gates make sure that nobody who looked the number up is about to use it.
            let gates = (connection.send_gate.alone(id()), connection.recv_gate.alone(id()));
            table::set_plain(fd, connection);
            drop(gates);
        }
        table::Entry::Epoll(set) => registration::leave_to_kernel(fd, set),
        _ => {}
    });
    service::leave();
    true
}

/// The sandbox could not be made: what is opened from now on may be ours again.
pub fn sandbox_failed() {
    SANDBOXED.store(0, Ordering::SeqCst);
}

/// The process's references have been given up: what is closed from now on gives none back.
pub(crate) fn is_exiting() -> bool {
    EXITING.load(Ordering::Relaxed) != 0
}

/// A child that shares this memory (clone with CLONE_VM, before its exec) is not the process that the tables speak of.
fn is_guest() -> bool {
    process::id() != id()
}

/// This process lives, so an exec that was prepared has failed: its references are taken again.
pub(crate) fn outlive_exec() {
    if EXECUTING.load(Ordering::Relaxed) != 0 && EXECUTING.swap(0, Ordering::Relaxed) != 0 {
        family::stay();
        let again = |fd| if is_inheritable(fd) { family::keep } else { family::hold };
        each_socket(|fd, connection| again(fd)(connection));
    }
}

/// All that the process holds references to.
fn every_socket(visit: &dyn Fn(&'static Connection)) {
    table::each_in(0, u32::MAX, |_, entry| {
        if let table::Entry::Socket(connection) | table::Entry::Plain(connection) = entry {
            visit(connection);
        }
    });
}

fn each_socket(mut visit: impl FnMut(i32, &'static Connection)) {
    table::each_in(0, u32::MAX, |fd, entry| {
        if let table::Entry::Socket(connection) = entry {
            visit(fd, connection);
        }
    });
}

/// In the parent before fork: the child will hold every socket too, and an answer of the broker must not find half a family.
pub fn before_fork() {
    outlive_exec();
    shared::tell_kernel();
    registration::lock_all();
    COUNTING.acquire();
    family::before_fork(is_sandboxed(), every_socket);
    shared::before_fork();
    each_socket(|_, connection| {
        let _ = connection.phase.compare_exchange(phase::ASKED, phase::NONE, Ordering::AcqRel, Ordering::Relaxed);
    });
}

/// In the parent afterwards; `forked` is false if fork failed.
pub fn after_fork_in_parent(forked: bool) {
    if !forked {
        family::not_forked(every_socket);
    }
    COUNTING.give_back();
    registration::unlock_all();
}

/// In the child: another number, a table and a service thread of its own from the next need on.
pub fn after_fork_in_child() {
    EXITING.store(0, Ordering::Relaxed);
    COUNTING.give_back();
    registration::unlock_all();
    registration::forget_sleepers();
    shared::after_fork_in_child();
    arena::forget_after_fork();
    // A process that is sandboxed may not even ask for its number, and needs it no more.
    if !is_sandboxed() {
        ID.store(process::id(), Ordering::Relaxed);
        family::after_fork_in_child();
        service::forget_after_fork();
    }
}

/// Whether this process is being replaced by another program, and not only starts one.
pub(crate) fn is_about_to_execute() -> bool {
    ABOUT_TO_EXECUTE.load(Ordering::Relaxed) != 0
}

/// Before execve and its kin: connections that the new program inherits move back to the kernel road; of the others this
/// process's descriptors, perhaps the family's last ones, are closed by the kernel now.
pub fn before_exec() {
    if is_sandboxed() {
        return;
    }
    if is_guest() {
        return before_spawn();
    }
    outlive_exec();
    shared::tell_kernel();
    ABOUT_TO_EXECUTE.store(1, Ordering::Relaxed);
    move_inheritable_back();
    ABOUT_TO_EXECUTE.store(0, Ordering::Relaxed);
    each_socket(|fd, connection| {
        if is_inheritable(fd) {
            return family::pass_on(connection);
        }
        end::leave_to_others(connection, fd);
        if is_last_to_let_go(connection) {
            end::prepare_exec(connection, fd);
        }
    });
    family::leave();
    EXECUTING.store(1, Ordering::Relaxed);
}

/// Before posix_spawn, system, popen: a child will execute another program while we live on.
pub fn before_spawn() {
    move_inheritable_back();
}

fn move_inheritable_back() {
    for move_back in [roads::move_incoming_first, roads::move_back] {
        each_socket(|fd, _| {
            if is_inheritable(fd) {
                move_back(fd, Reason::INHERITED);
            }
        });
    }
}

/// Normal end (exit, _exit, quick_exit): the kernel is made to say FIN where it would have said FIN without us.
pub fn before_exit() {
    if is_sandboxed() || is_guest() || EXITING.swap(1, Ordering::SeqCst) != 0 {
        return;
    }
    // The service thread goes on until the very end. Whether others hold a socket it asks under this lock: if it has asked
    // before, the references were still there.
    drop(counting());
    outlive_exec();
    each_socket(|fd, connection| {
        service::take_back(connection);
        end::leave_to_others(connection, fd);
        if is_last_to_let_go(connection) {
            end::prepare_close(connection, fd);
        }
    });
    family::leave();
}

/// One reference less, and what dead members of the family held.
fn is_last_to_let_go(connection: &'static Connection) -> bool {
    if connection.references.load(Ordering::Acquire) > 1 {
        family::forget_dead(connection);
    }
    family::let_go(connection)
}
