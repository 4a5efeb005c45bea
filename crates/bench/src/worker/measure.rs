//! Warm up, then time one operation after another.

use anyhow::Result;

use super::clock::{Moment, ticks};
use crate::job::{Job, Measured};
use crate::stats::{Histogram, Latency};
use crate::system::WARM_UP;
use crate::system::calls::cpu_time;

/// A processor may count in steps of 10 ns, too coarse for the median of something that takes 100: for operations faster than
/// this the median is that of batches.
const BATCHED_BELOW_NS: f64 = 1000.0;
const BATCH: u32 = 16;

/// Does `operation` for the job's time after a warm-up, timing each.
pub(super) fn each(job: &Job, mut operation: impl FnMut() -> Result<()>) -> Result<Measured> {
    let warming = Moment::now();
    while warming.elapsed() < WARM_UP {
        operation()?;
    }
    let length = (job.seconds * 1e9 / warming.tick_ns()) as u64;
    let (mut singles, mut batches) = (Histogram::new(), Histogram::new());
    let (cpu, begun, first) = (cpu_time(), Moment::now(), ticks());
    let mut last = first;
    while last - first < length {
        let before = last;
        for _ in 0..BATCH {
            operation()?;
            let now = ticks().max(last);
            singles.record(now - last);
            last = now;
        }
        batches.record(last - before);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (tick_ns, operations) = (begun.tick_ns(), singles.total());
    let (single, batch) = (singles.quantile(0.5) * tick_ns, batches.quantile(0.5) * tick_ns / f64::from(BATCH));
    Ok(Measured {
        seconds,
        operations,
        bytes: operations * job.size as u64,
        cpu: cpu_time() - cpu,
        latency: Some(Latency {
            p50_ns: if single < BATCHED_BELOW_NS { batch } else { single },
            p99_ns: singles.quantile(0.99) * tick_ns,
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
