//! The process starts, forks, executes another program, ends.
/// Once, from the library's constructor.
pub fn start() {}
/// In the parent before fork.
pub fn before_fork() {}
/// In the parent afterwards; `forked` is false if fork failed.
pub fn after_fork_in_parent(_forked: bool) {}
/// In the child.
pub fn after_fork_in_child() {}
/// Before execve and its kin: inheritable connections move back to the kernel road.
pub fn before_exec() {}
/// Before posix_spawn, system, popen (a child will execute another program while we live on).
/// `inherits(fd)`: file actions that give the child `fd` are told by `lifecycle::move_back(fd, INHERITED)` separately.
pub fn before_spawn() {}
/// Normal end (exit, _exit, quick_exit): doorbells are drained so that the kernel says FIN and not RST.
pub fn before_exit() {}
