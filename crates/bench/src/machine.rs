//! What this machine is, and what else it does while it is measured.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::system::machine::{self, busy_seconds, own_seconds};

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
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Self {
            processor: told(machine::processor()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: told(machine::kernel()),
            date: iso_8601(since_1970),
            others: None,
        }
    }
}

fn told(fact: Option<String>) -> String {
    fact.unwrap_or_else(|| "unknown".to_owned())
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
}
