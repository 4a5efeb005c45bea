//! What the machine is.

use crate::doctor::check::Check;
use std::ffi::CStr;

/// First kernel with everything that the library asks for; the youngest is SO_NETNS_COOKIE.
const KERNEL_MIN: (u32, u32) = (5, 14);

/// Whether the library knows this processor.
pub(super) fn architecture() -> Check {
    const NAME: &str = "processor";
    match std::env::consts::ARCH {
        architecture @ "x86_64" => Check::ok(NAME, architecture),
        other => Check::fail(NAME, other, "VMMC Sockets are built for x86_64."),
    }
}

/// Whether the kernel is young enough.
pub(super) fn kernel() -> Check {
    const NAME: &str = "kernel";
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let found = format!("Linux {release}");
    match version(&release) {
        Some(version) if version >= KERNEL_MIN => Check::ok(NAME, found),
        _ => Check::warn(NAME, found, format!("Linux {}.{} or later is known to work.", KERNEL_MIN.0, KERNEL_MIN.1)),
    }
}

/// Major and minor number at the beginning of a release's name.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Which C library programs are linked with here: the one that this command runs on.
#[allow(unsafe_code)]
pub(super) fn c_library() -> Check {
    // SAFETY: glibc's function takes nothing and returns a string that lives as long as the library.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    Check::ok("C library", format!("glibc {}", version.to_string_lossy()))
}

/// Whether two programs can run at once.
pub(super) fn processors() -> Check {
    const NAME: &str = "processors";
    match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => Check::warn(
            NAME,
            "one processor may be used: waiting calls do not spin, they sleep in the kernel",
            "Give the programs two processors or more (taskset, cpuset, CPU quota of the container).",
        ),
        number => Check::ok(NAME, format!("{number} may be used")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("5.14"), Some((5, 14)));
        assert_eq!(version("unknown"), None);
    }
}
