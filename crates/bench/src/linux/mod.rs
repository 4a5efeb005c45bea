//! Linux.

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
pub(crate) const BENCHMARKS: &[Benchmark] = &[
    Benchmark::Pingpong,
    Benchmark::Epoll,
    Benchmark::Stream,
    Benchmark::Rate,
    Benchmark::Connect,
    Benchmark::Idle,
    Benchmark::Apps,
];
/// The roads that there are not.
pub(crate) const NO_ROADS: &[Road] = &[];
/// The stream that the targets speak of, in bytes a send.
pub(crate) const LARGE: usize = 256 << 10;
/// What a step may take, besides its measuring.
pub(crate) const LIMIT_SECONDS: u32 = 15;
/// Long enough for any set-up that goes on beside the data, and for the processors to come up to speed.
pub(crate) const WARM_UP: Duration = Duration::from_millis(100);
