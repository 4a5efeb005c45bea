use vmmc_os::Errno;

/// How an intercepted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Done here; the call's result.
    Handled(isize),
    /// Not ours, or to be done by the kernel now: call the real function with the same arguments.
    Bypass,
    /// Done here, and it failed: -1 and this errno.
    Failed(Errno),
}
