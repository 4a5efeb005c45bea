//! What a child of posix_spawn is to do before it executes.

use crate::lifecycle::move_back;
use crate::real::real;
use core::ffi::{c_int, c_void};
use vmmc_protocol::Reason;

real! {
    fn posix_spawn_file_actions_adddup2(actions: *mut c_void, fd: c_int, new: c_int) -> c_int;
}

/// The child gets `fd`, also if it is close-on-exec.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawn_file_actions_adddup2(actions: *mut c_void, fd: c_int, new: c_int) -> c_int {
    move_back(fd, Reason::INHERITED);
    // SAFETY: the program's arguments.
    unsafe { real::posix_spawn_file_actions_adddup2(actions, fd, new) }
}
