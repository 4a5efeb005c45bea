//! Windows, and Wine.

pub(crate) mod accelerated;
pub(crate) mod apps;
pub(crate) mod calls;
pub(crate) mod machine;
mod promises;
pub(crate) mod socket;

pub(crate) use promises::{FACES, PROMISES};

use std::time::Duration;

use crate::model::Road;
use crate::options::Benchmark;

/// What `all` means here.
pub(crate) const BENCHMARKS: &[Benchmark] =
    &[Benchmark::Pingpong, Benchmark::Stream, Benchmark::Rate, Benchmark::Connect];
/// The roads that there are not.
pub(crate) const NO_ROADS: &[Road] = &[Road::Unix];
/// The stream that the targets speak of, in bytes a send.
pub(crate) const LARGE: usize = 64 << 10;
/// What a step may take, besides its measuring.
pub(crate) const LIMIT_SECONDS: u32 = 120;
/// A broker that is started on demand takes its time, and so does a connection until it is on its road.
pub(crate) const WARM_UP: Duration = Duration::from_millis(1000);
