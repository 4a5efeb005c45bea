//! The yardstick of the paper: what the sockets layer costs over raw VMMC.
//!
//! Y. Chen, S. Damianakis, S. Kumar, X. Yu, K. Li, "Porting a User-Level Communication Architecture to NT: Experiences and
//! Performance", USENIX Windows NT Symposium 1999: 20 against 13.5 microseconds one way, 84 against 90 MB/s.

use serde::Serialize;

use crate::model::{Case, Results, Road, Test};
use crate::plan::{LARGE, SMALL};

/// Sockets over raw VMMC, here and in the paper.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Overhead {
    /// Sockets' latency by raw VMMC's: less is better.
    pub(crate) latency: Option<f64>,
    pub(crate) latency_target: f64,
    pub(crate) latency_paper: f64,
    /// Sockets' bandwidth by raw VMMC's: more is better.
    pub(crate) bandwidth: Option<f64>,
    pub(crate) bandwidth_target: f64,
    pub(crate) bandwidth_paper: f64,
}

pub(crate) fn overhead(results: &Results) -> Overhead {
    Overhead {
        latency: results.better(Case { test: Test::PingPong, size: SMALL, road: Road::Raw }, Road::Vmmc),
        latency_target: 1.4,
        latency_paper: 20.0 / 13.5,
        bandwidth: results.better(Case { test: Test::Stream, size: LARGE, road: Road::Vmmc }, Road::Raw),
        bandwidth_target: 0.95,
        bandwidth_paper: 84.0 / 90.0,
    }
}
