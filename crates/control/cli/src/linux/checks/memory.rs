//! What memory and descriptors may be had.

use crate::doctor::check::Check;
use crate::text::{bytes, count};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::process::{Resource, getrlimit};

/// Memory that a few hundred connections take.
const AVAILABLE_MIN: u64 = 256 << 20;
/// The largest file that the library makes is smaller.
const FILE_SIZE_MIN: u64 = 1 << 30;
/// The usual soft limit.
const DESCRIPTORS_MIN: u64 = 1024;

/// Whether memory can be shared so that the other end cannot take it away again.
pub(super) fn sealing() -> Check {
    const NAME: &str = "sealed memory files";
    match seal() {
        Ok(true) => Check::ok(NAME, "work"),
        Ok(false) => Check::fail(NAME, "a sealed memory file could be shrunk", "Use an unmodified Linux kernel."),
        Err(error) => Check::fail(
            NAME,
            format!("cannot be made: {error}"),
            "Allow memfd_create and fcntl(F_ADD_SEALS), which a sandbox or container may forbid.",
        ),
    }
}

/// Whether a seal against shrinking holds.
fn seal() -> std::io::Result<bool> {
    let file = rustix::fs::memfd_create("vmmc-doctor", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&file, 4096)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(rustix::fs::ftruncate(&file, 0) == Err(rustix::io::Errno::PERM))
}

/// Whether there is memory for a good number of connections.
pub(super) fn available() -> Check {
    const NAME: &str = "memory";
    let machine = field("/proc/meminfo", "MemAvailable:").map(|kibibytes| kibibytes << 10);
    let Some(available) = machine.into_iter().chain(control_group()).chain(getrlimit(Resource::As).current).min()
    else {
        return Check::warn(NAME, "/proc/meminfo cannot be read", "Mount /proc.");
    };
    let found = format!("{} available", bytes(available));
    if available >= AVAILABLE_MIN {
        return Check::ok(NAME, found);
    }
    Check::warn(
        NAME,
        found,
        "Look at the machine's memory, the container's memory limit, and `ulimit -v`; connections without memory stay on the kernel road.",
    )
}

/// What the control group's own limit leaves.
fn control_group() -> Option<u64> {
    let path = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = path.lines().find_map(|line| line.strip_prefix("0::"))?.to_owned();
    let number =
        |name| std::fs::read_to_string(format!("/sys/fs/cgroup{path}/{name}")).ok()?.trim().parse::<u64>().ok();
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}

/// The number after `name` in a file of names and numbers.
fn field(path: &str, name: &str) -> Option<u64> {
    let content = std::fs::read_to_string(path).ok()?;
    content.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// Whether files may be as large as the library's.
pub(super) fn file_size() -> Check {
    const NAME: &str = "file size";
    match getrlimit(Resource::Fsize).current {
        Some(limit) if limit < FILE_SIZE_MIN => Check::warn(
            NAME,
            format!("files may have {} at most", bytes(limit)),
            "Raise `ulimit -f`: it limits shared memory too.",
        ),
        _ => Check::ok(NAME, "not limited"),
    }
}

/// Whether there are descriptors for the library's own besides the program's.
pub(super) fn descriptors() -> Check {
    const NAME: &str = "descriptors";
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < DESCRIPTORS_MIN => Check::warn(
            NAME,
            format!("a process may open {}", count(limit)),
            format!("Raise `ulimit -n` to {DESCRIPTORS_MIN} or more: the library keeps a few of its own."),
        ),
        Some(limit) => Check::ok(NAME, format!("a process may open {}", count(limit))),
        None => Check::ok(NAME, "not limited"),
    }
}
