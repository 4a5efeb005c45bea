//! What this machine is and what its processes use, as the kernel tells.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

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
    /// Processes that wanted to run in the last minute, on average, before the benchmark began.
    pub(crate) load: f64,
}

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
            load: first_word("/proc/loadavg").and_then(|word| word.parse().ok()).unwrap_or(0.0),
        }
    }
}

fn first_word(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()?.split_whitespace().next().map(str::to_owned)
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
    fn this_process_uses_memory_and_time() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).expect("memory") > 4096.0);
        assert!(cpu_seconds(pid).expect("time") > 0.0);
        assert!(cpu_seconds(5_000_000).is_err(), "above the largest process number that Linux gives");
    }
}
