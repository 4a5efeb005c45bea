//! The yardstick of the paper: what the sockets layer costs over raw VMMC.
//!
//! Y. Chen, S. Damianakis, S. Kumar, X. Yu, K. Li, "Porting a User-Level Communication Architecture to NT: Experiences and
//! Performance", USENIX Windows NT Symposium 1999: 20 against 13.5 microseconds one way, 84 against 90 MB/s.

use serde::Serialize;

use crate::model::{Case, Results, Road, Test};
use crate::plan::SMALL;
use crate::system;

/// Where sockets are measured against raw VMMC: what the place is called, the two roads, the bytes of the stream's sends.
pub(crate) type Face = (&'static str, Road, Road, usize);

/// Sockets over raw VMMC, here and in the paper.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Overhead {
    pub(crate) face: &'static str,
    /// Sockets' latency by raw VMMC's: less is better.
    pub(crate) latency: Option<f64>,
    pub(crate) latency_target: f64,
    pub(crate) latency_paper: f64,
    /// Sockets' bandwidth by raw VMMC's: more is better.
    pub(crate) bandwidth: Option<f64>,
    pub(crate) bandwidth_target: f64,
    pub(crate) bandwidth_paper: f64,
    /// Bytes of a send.
    pub(crate) bandwidth_size: usize,
}

/// Of every face that was measured.
pub(crate) fn overheads(results: &Results) -> Vec<Overhead> {
    let all = system::FACES.iter().map(|face| overhead(results, *face));
    all.filter(|overhead| overhead.latency.is_some() || overhead.bandwidth.is_some()).collect()
}

fn overhead(results: &Results, (face, sockets, raw, size): Face) -> Overhead {
    Overhead {
        face,
        latency: results.better(Case { test: Test::PingPong, size: SMALL, road: raw }, sockets),
        latency_target: 1.4,
        latency_paper: 20.0 / 13.5,
        bandwidth: results.better(Case { test: Test::Stream, size, road: sockets }, raw),
        bandwidth_target: 0.95,
        bandwidth_paper: 84.0 / 90.0,
        bandwidth_size: size,
    }
}
