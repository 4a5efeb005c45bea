//! What this machine is and what its processes use, as the kernel tells.

use std::fs;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// Facts that a result means nothing without.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
    /// UTC, ISO 8601.
    pub(crate) date: String,
    /// Processors that other programs kept busy meanwhile, on average.
    pub(crate) others: Option<f64>,
}

/// More than this, and the numbers are not those of a quiet machine.
pub(crate) const OTHERS_MAX: f64 = 0.1;

impl Machine {
    pub(crate) fn look() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Self {
            processor: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: first_word("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
            date: iso_8601(since_1970),
            others: None,
        }
    }
}

fn first_word(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()?.split_whitespace().next().map(str::to_owned)
}

/// Counts what other programs use while a benchmark runs.
#[derive(Debug)]
pub(crate) struct Others {
    since: Instant,
    busy_before: Option<f64>,
}

impl Others {
    pub(crate) fn watch() -> Self {
        Self { since: Instant::now(), busy_before: busy_seconds() }
    }

    /// The processors that were busy since, less this process and those it has waited for.
    pub(crate) fn processors(&self) -> Option<f64> {
        let busy = busy_seconds()? - self.busy_before? - own_seconds();
        Some((busy / self.since.elapsed().as_secs_f64().max(1e-3)).max(0.0))
    }
}

/// Processor time that all programs of the machine (and other guests of its host) have used, in seconds.
fn busy_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let mut fields = stat.lines().next()?.split_whitespace().skip(1).map(|field| field.parse::<f64>().ok());
    let [user, nice, system, _idle, _io, interrupt, soft, steal] = std::array::from_fn(|_| fields.next().flatten());
    // SAFETY: takes a number and no pointer.
    let ticks_per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    Some((user? + nice? + system? + interrupt? + soft? + steal?) / ticks_per_second)
}

/// Processor time of this process and of the children that it has waited for.
fn own_seconds() -> f64 {
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

/// The civil date of `seconds` since 1970, UTC.
fn iso_8601(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Counted in years that begin in March, so that the leap day is a year's last (H. Hinnant, "chrono-compatible dates").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
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
    fn dates_are_the_calendars() {
        assert_eq!(iso_8601(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso_8601(951_825_599), "2000-02-29T11:59:59Z");
        assert_eq!(iso_8601(1_798_761_599), "2026-12-31T23:59:59Z");
    }

    #[test]
    fn what_this_process_does_is_not_counted_as_others() {
        let watch = Others::watch();
        let before = own_seconds();
        while own_seconds() < before + 0.05 {}
        let others = watch.processors().expect("the kernel's counts");
        let all = (busy_seconds().expect("the kernel's counts") - watch.busy_before.expect("likewise"))
            / watch.since.elapsed().as_secs_f64();
        assert!(others >= 0.0 && others < all, "{others} of {all}");
    }

    #[test]
    fn this_process_uses_memory_and_time() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).expect("memory") > 4096.0);
        assert!(cpu_seconds(pid).expect("time") > 0.0);
        assert!(cpu_seconds(5_000_000).is_err(), "above the largest process number that Linux gives");
    }
}
