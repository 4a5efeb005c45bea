//! Medians and quantiles.

use serde::{Deserialize, Serialize};

/// The middle of `values` (the mean of the two middle ones); `None` if there are none.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { (sorted[middle - 1] + upper) / 2.0 })
}

/// Latencies of one run, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Latency {
    pub(crate) p50_ns: f64,
    pub(crate) p99_ns: f64,
    pub(crate) mean_ns: f64,
}

/// Durations below `EXACT` have a bucket each; above, `EXACT / 2` buckets divide each power of two, so that a quantile
/// is off by less than 1/256 of itself.
const EXACT: u64 = 256;
const HALF: u64 = EXACT / 2;
const BUCKETS: usize = (EXACT + HALF * (64 - EXACT.trailing_zeros()) as u64) as usize;

/// Counts durations by size without keeping them: fixed memory, a few instructions each.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }

    /// Counts one duration, in any unit.
    pub(crate) fn record(&mut self, duration: u64) {
        self.counts[bucket(duration)] += 1;
        self.total += 1;
    }

    /// The duration that `share` (0 to 1) of all durations do not exceed; 0 if there are none.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return middle(index);
            }
        }
        0.0
    }

    /// How many durations were counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

fn bucket(duration: u64) -> usize {
    if duration < EXACT {
        return duration as usize;
    }
    let octave = u64::from(duration.ilog2() - EXACT.ilog2());
    (EXACT + octave * HALF + (duration >> (octave + 1)) - HALF) as usize
}

fn middle(index: usize) -> f64 {
    let index = index as u64;
    if index < EXACT {
        return index as f64;
    }
    let octave = (index - EXACT) / HALF;
    let low = (HALF + (index - EXACT) % HALF) << (octave + 1);
    low as f64 + ((1_u64 << (octave + 1)) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    #[test]
    fn every_duration_falls_into_a_bucket_close_to_it() {
        for duration in (0..64).flat_map(|bits| [1_u64 << bits, (1 << bits) + 1, u64::MAX >> bits]) {
            let found = middle(bucket(duration));
            let error = (found - duration as f64).abs();
            assert!(error <= duration as f64 / 256.0, "{duration} became {found}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_of_a_known_distribution() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), 0.0);
        (1..=100).for_each(|duration| histogram.record(duration));
        assert_eq!(histogram.quantile(0.5), 50.0);
        assert_eq!(histogram.quantile(0.99), 99.0);
        assert_eq!(histogram.quantile(1.0), 100.0);
    }
}
