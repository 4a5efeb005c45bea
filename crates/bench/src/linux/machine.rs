//! What the kernel tells of this machine and of its processes.

use std::fs;

use anyhow::{Context, Result, bail};

/// What the processor is called.
pub(crate) fn processor() -> Option<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"))?.split_once(':')?.1;
    Some(model.trim().to_owned())
}

/// The kernel and its version.
pub(crate) fn kernel() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(format!("Linux {}", release.trim()))
}

/// Processor time that all programs of the machine (and other guests of its host) have used, in seconds.
pub(crate) fn busy_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let mut fields = stat.lines().next()?.split_whitespace().skip(1).map(|field| field.parse::<f64>().ok());
    let [user, nice, system, _idle, _io, interrupt, soft, steal] = std::array::from_fn(|_| fields.next().flatten());
    // SAFETY: takes a number and no pointer.
    let ticks_per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    Some((user? + nice? + system? + interrupt? + soft? + steal?) / ticks_per_second)
}

/// Processor time of this process and of the children that it has waited for.
pub(crate) fn own_seconds() -> f64 {
    [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN].map(usage_seconds).iter().sum()
}

fn usage_seconds(who: libc::c_int) -> f64 {
    // SAFETY: rusage is a plain structure of integers, for which all zeroes is valid.
    let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: `usage` is valid for writes.
    unsafe { libc::getrusage(who, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Two processors that this process may use, if there are two.
pub(crate) fn two_processors() -> Option<[usize; 2]> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut allowed = list.trim().split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse::<usize>().unwrap_or(1)..=last.parse::<usize>().unwrap_or(0)
    });
    Some([allowed.next()?, allowed.next()?])
}

/// Memory of the process `pid` in bytes, pages that it shares counted by their share: over all processes that map a page
/// it is counted once.
pub(crate) fn resident_bytes(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let rollup = fs::read_to_string(&path).with_context(|| path.clone())?;
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).and_then(|rest| rest.split_whitespace().next());
    let kib: f64 = pss.context("no Pss line")?.parse()?;
    Ok(kib * 1024.0)
}

/// Processor time that the process `pid` has used, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: `clock` is valid for writes.
    let known = unsafe { libc::clock_getcpuclockid(pid.cast_signed(), &mut clock) };
    // SAFETY: `time` is valid for writes.
    if known != 0 || unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        bail!("the processor time of process {pid} cannot be read");
    }
    Ok(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).expect("memory") > 4096.0);
        assert!(cpu_seconds(pid).expect("time") > 0.0);
        assert!(cpu_seconds(5_000_000).is_err(), "above the largest process number that Linux gives");
    }
}
