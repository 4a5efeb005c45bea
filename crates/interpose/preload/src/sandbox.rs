//! A process restricts its own system calls: what is under way moves back first, and nothing of the library's is left to be
//! refused, or to be killed for.

use crate::answer::{errno, set_errno, told};
use crate::real::real;
use core::ffi::{c_int, c_uint};
use vmmc_protocol::Reason;
use vmmc_socket::process::{leave_to_kernel, sandbox_failed};

real! {
    fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int;
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int {
    // SAFETY: the program's arguments.
    let pass = || unsafe { real::prctl(option, a, b, c, d) };
    if option == libc::PR_SET_SECCOMP && installs(a as c_uint, b) { around_sandbox(pass) } else { pass() }
}

/// Whether a seccomp mode with this filter restricts anything. A null pointer only asks the kernel whether it knows filters.
pub(crate) fn installs(mode: c_uint, filter: usize) -> bool {
    mode == libc::SECCOMP_MODE_STRICT || mode == libc::SECCOMP_MODE_FILTER && filter != 0
}

/// Whether `seccomp(operation, .., filter)` restricts anything.
pub(crate) fn operation_installs(operation: c_uint, filter: usize) -> bool {
    operation == libc::SECCOMP_SET_MODE_STRICT || operation == libc::SECCOMP_SET_MODE_FILTER && filter != 0
}

/// Makes a call by which the process restricts itself.
pub(crate) fn around_sandbox<R: PartialOrd + From<i8>>(restrict: impl FnOnce() -> R) -> R {
    let has_left = told(|| leave_to_kernel(Reason::SANDBOXED));
    let result = restrict();
    if has_left && result < R::from(0) {
        let failed = errno();
        sandbox_failed();
        set_errno(failed);
    }
    result
}
