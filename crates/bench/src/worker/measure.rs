//! Warm up, then time one operation after another.

use std::time::Duration;

use anyhow::Result;

use super::clock::{Moment, ticks};
use super::system::cpu_time;
use crate::job::{Job, Measured};
use crate::stats::{Histogram, Latency};

/// Long enough for any set-up that goes on beside the data, and for the processors to come up to speed.
pub(super) const WARM_UP: Duration = Duration::from_millis(100);

/// Does `operation` for the job's time after a warm-up, timing each.
pub(super) fn each(job: &Job, mut operation: impl FnMut() -> Result<()>) -> Result<Measured> {
    let warming = Moment::now();
    while warming.elapsed() < WARM_UP {
        operation()?;
    }
    let length = (job.seconds * 1e9 / warming.tick_ns()) as u64;
    let mut histogram = Histogram::new();
    let (cpu, begun, first) = (cpu_time(), Moment::now(), ticks());
    let mut last = first;
    while last - first < length {
        operation()?;
        let now = ticks();
        histogram.record(now.saturating_sub(last));
        last = now.max(last);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (tick_ns, operations) = (begun.tick_ns(), histogram.total());
    Ok(Measured {
        seconds,
        operations,
        bytes: operations * job.size as u64,
        cpu: cpu_time() - cpu,
        latency: Some(Latency {
            p50_ns: histogram.quantile(0.5) * tick_ns,
            p99_ns: histogram.quantile(0.99) * tick_ns,
            mean_ns: seconds * 1e9 / operations.max(1) as f64,
        }),
    })
}

/// Measures a server's part: `serve` returns how many operations and bytes it served.
pub(super) fn all(serve: impl FnOnce() -> Result<(u64, u64)>) -> Result<Measured> {
    let (cpu, begun) = (cpu_time(), Moment::now());
    let (operations, bytes) = serve()?;
    Ok(Measured { seconds: begun.elapsed().as_secs_f64(), operations, bytes, cpu: cpu_time() - cpu, latency: None })
}
