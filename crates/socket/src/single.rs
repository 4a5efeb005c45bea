//! The family of a process that does not fork: it alone.
use crate::connection::Connection;
use vmmc_sync::Ordering;

pub(crate) const MEMBERS_MAX: usize = 0;

/// This process refers to the connection once more.
pub(crate) fn hold(connection: &'static Connection) {
    connection.references.fetch_add(1, Ordering::AcqRel);
}

/// It refers to it once less. `true`: that was the last reference.
pub(crate) fn let_go(connection: &'static Connection) -> bool {
    connection.references.fetch_sub(1, Ordering::AcqRel) == 1
}

/// Nobody else can die.
pub(crate) fn forget_dead(_connection: &'static Connection) -> bool {
    false
}
pub(crate) fn before_fork(_sandboxed: bool, _each_socket: impl Fn(&dyn Fn(&'static Connection))) {}
pub(crate) fn not_forked(_each_socket: impl Fn(&dyn Fn(&'static Connection))) {}
pub(crate) fn after_fork_in_child() {}
pub(crate) fn leave() {}
pub(crate) fn stay() {}
pub(crate) fn pass_on(_connection: &'static Connection) {}
pub(crate) fn keep(_connection: &'static Connection) {}

/// Nobody else refers to it.
pub(crate) fn is_shared(_connection: &Connection) -> bool {
    false
}

/// A close here ends the calls that sleep.
pub(crate) fn keep_for_sleepers(_connection: &'static Connection, _fd: i32) {}
