//! From `/proc` to the tables of all processes that one may look at.

use super::addresses;
use crate::status::model::{Family, Process, Report, Unreadable};
use crate::status::read;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use vmmc_protocol::record::MEMFD_NAME;

/// What tells one memfd from another.
type Identity = (u64, u64);

/// Looks at every process.
pub(crate) fn all() -> Result<Report, String> {
    let mut files: BTreeMap<Identity, (File, Vec<Process>)> = BTreeMap::new();
    let mut unreadable = Vec::new();
    let mut pids: Vec<i32> = std::fs::read_dir("/proc")
        .map_err(|error| format!("/proc cannot be read: {error}"))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    for pid in pids {
        for table in table_files(pid) {
            match table {
                Ok((identity, file)) => {
                    let (_, processes) = files.entry(identity).or_insert_with(|| (file, Vec::new()));
                    processes.push(Process { pid, command: command(pid) });
                }
                Err(why) => unreadable.push(Unreadable { pid, why }),
            }
        }
    }
    let mut families = Vec::new();
    for (file, processes) in files.into_values() {
        match read::table(&|buffer: &mut [u8], at| file.read_at(buffer, at)) {
            Ok(table) => {
                let mut family = Family { processes, table };
                addresses::fill(&mut family);
                families.push(family);
            }
            Err(why) => {
                unreadable.extend(processes.iter().map(|process| Unreadable { pid: process.pid, why: why.clone() }))
            }
        }
    }
    families.sort_by_key(|family| family.processes.first().map(|process| process.pid));
    Ok(Report::new(families, unreadable))
}

/// The tables that a process keeps open: its own, and after a fork those that it has from its parents. Processes that are not
/// ours to look at, or that end meanwhile, have none.
fn table_files(pid: i32) -> Vec<Result<(Identity, File), String>> {
    let entries =
        std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .filter(|path| is_writable(path) && std::fs::read_link(path).is_ok_and(|link| is_table(link.as_os_str())))
        .filter_map(|path| open(&path).transpose())
        .map(|file| file.map_err(|error| format!("its table of sockets cannot be opened: {error}")))
        .collect()
}

/// Whether the descriptor may write: its owner's may, that of a `vmmc status` (also this one) which just reads it may not.
fn is_writable(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|link| link.mode() & 0o200 != 0)
}

fn is_table(link: &OsStr) -> bool {
    let name = link.as_bytes().strip_prefix(b"/memfd:");
    let name = name.map(|name| name.strip_suffix(b" (deleted)").unwrap_or(name));
    name == Some(MEMFD_NAME.as_bytes())
}

/// Opens what stands behind the link without ever waiting for it; none if it has gone.
fn open(path: &Path) -> std::io::Result<Option<(Identity, File)>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    Ok(Some(((metadata.dev(), metadata.ino()), file)))
}

/// The process's name as the kernel knows it; the program may have chosen it.
fn command(pid: i32) -> String {
    let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_library_s_memfd_is_a_table() {
        assert!(is_table(OsStr::new("/memfd:vmmc-sockets (deleted)")));
        for other in ["/memfd:vmmc-sockets2 (deleted)", "/memfd:vmmc-link (deleted)", "/tmp/vmmc-sockets", "socket:[1]"]
        {
            assert!(!is_table(OsStr::new(other)), "{other}");
        }
    }
}
