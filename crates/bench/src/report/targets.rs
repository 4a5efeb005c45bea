//! What the project promises, and whether this run kept it.

use serde::Serialize;

use super::show;
use crate::model::{Case, Results, Road, Test};
use crate::plan::{LARGE, MESSAGE, SMALL};

/// One promise.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) what: String,
    /// The bound, in words.
    pub(crate) target: String,
    /// What was reached, in words and as a number (a ratio, a share or bytes).
    pub(crate) reached: String,
    pub(crate) value: Option<f64>,
    /// `None` if it was not measured.
    pub(crate) met: Option<bool>,
}

/// A promise about how many times better one road is than another.
struct Ratio {
    what: &'static str,
    test: Test,
    size: usize,
    /// The worst of these counts.
    roads: &'static [Road],
    than: Road,
    at_least: f64,
}

const fn ratio(what: &'static str, test: Test, size: usize, than: Road, at_least: f64) -> Ratio {
    Ratio { what, test, size, roads: &[Road::Vmmc], than, at_least }
}

const PLAIN_PEER: &[Road] = &[Road::VmmcClient, Road::VmmcServer];

const RATIOS: &[Ratio] = &[
    ratio("8 B ping-pong against kernel TCP, blocking", Test::PingPong, SMALL, Road::Kernel, 100.0),
    ratio("8 B ping-pong against kernel TCP, busy-polled", Test::PingPong, SMALL, Road::KernelBusy, 20.0),
    ratio("8 B ping-pong through epoll_wait against kernel TCP", Test::Epoll, SMALL, Road::Kernel, 50.0),
    ratio("256 KiB stream against kernel TCP", Test::Stream, LARGE, Road::Kernel, 5.0),
    ratio("256 KiB stream against raw VMMC", Test::Stream, LARGE, Road::Raw, 0.8),
    ratio("64 B messages one way against kernel TCP", Test::Rate, MESSAGE, Road::Kernel, 10.0),
    ratio("redis GET against kernel TCP", Test::RedisGet, 0, Road::Kernel, 3.0),
    ratio("redis SET against kernel TCP", Test::RedisSet, 0, Road::Kernel, 3.0),
    ratio("nginx against kernel TCP", Test::Nginx, 0, Road::Kernel, 1.5),
    Ratio {
        roads: &[Road::VmmcAsleep],
        ..ratio("everybody asleep (--spin off), 8 B ping-pong", Test::PingPong, SMALL, Road::Kernel, 0.95)
    },
    Ratio {
        roads: PLAIN_PEER,
        ..ratio("one end not enabled, 8 B ping-pong", Test::PingPong, SMALL, Road::Kernel, 0.97)
    },
    Ratio {
        roads: PLAIN_PEER,
        ..ratio("one end not enabled, 256 KiB stream", Test::Stream, LARGE, Road::Kernel, 0.97)
    },
    ratio("short connections against kernel TCP", Test::Connect, MESSAGE, Road::Kernel, 0.95),
];

const CACHE_LINES_MAX: f64 = 3.0;

/// What a thousand idle connections may use: of one processor, and bytes each.
const LIMITS: &[(&str, Test, f64)] = &[
    ("1000 idle connections, processor use", Test::IdleCpu, 0.005),
    ("1000 idle connections, memory of both ends, each", Test::IdleMemory, 32.0 * 1024.0),
];

/// The targets of the tests that were asked for, in the order of the promise.
pub(crate) fn targets(results: &Results) -> Vec<Target> {
    let mut targets = vec![(Test::PingPong, floor(results))];
    targets.extend(RATIOS.iter().map(|ratio| (ratio.test, ratio.judge(results))));
    for (what, test, most) in LIMITS {
        targets.push((*test, limit(results, what, *test, *most)));
    }
    let asked = |test| results.sorted().iter().any(|series| series.case.test == test);
    targets.into_iter().filter(|(test, _)| asked(*test)).map(|(_, target)| target).collect()
}

impl Ratio {
    fn judge(&self, results: &Results) -> Target {
        let better = |road: &Road| results.better(Case { test: self.test, size: self.size, road: *road }, self.than);
        let worst = self.roads.iter().map(better).reduce(|one, other| Some(one?.min(other?))).flatten();
        let target = format!(">= {}", show::ratio(self.at_least));
        judged(self.what, target, worst, show::ratio, |value| value >= self.at_least)
    }
}

fn floor(results: &Results) -> Target {
    let case = Case { test: Test::PingPong, size: SMALL, road: Road::CacheLine };
    let cost = results.better(case, Road::Vmmc);
    let target = format!("<= {}", show::ratio(CACHE_LINES_MAX));
    judged("8 B ping-pong, cost against the bare cache line", target, cost, show::ratio, |value| {
        value <= CACHE_LINES_MAX
    })
}

fn limit(results: &Results, what: &str, test: Test, most: f64) -> Target {
    let value = results.find(Case { test, size: 0, road: Road::Vmmc }).and_then(|series| series.median);
    let shown = |value| show::value(value, test.unit());
    judged(what, format!("<= {}", shown(most)), value, shown, |value| value <= most)
}

fn judged(
    what: &str,
    target: String,
    value: Option<f64>,
    shown: impl Fn(f64) -> String,
    met: impl Fn(f64) -> bool,
) -> Target {
    let reached = value.map_or_else(|| "not measured".to_owned(), shown);
    Target { what: what.to_owned(), target, reached, value, met: value.map(met) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sample;

    fn put(results: &mut Results, test: Test, size: usize, road: Road, value: f64) {
        results.series(Case { test, size, road }).add(0, Sample { value, ..Sample::default() });
    }

    fn met(results: &Results, what: &str) -> Option<bool> {
        let found = targets(results).into_iter().find(|target| target.what.starts_with(what));
        found.expect("a target of this name").met
    }

    #[test]
    fn what_was_not_asked_for_has_no_line_and_what_failed_is_not_judged() {
        let mut results = Results::default();
        assert!(targets(&results).is_empty());
        results.series(Case { test: Test::Nginx, size: 0, road: Road::Vmmc }).failed = Some("not installed".to_owned());
        assert_eq!(targets(&results).len(), 1);
        assert_eq!(met(&results, "nginx"), None);
    }

    #[test]
    fn latency_is_judged_against_kernel_and_floor() {
        let mut results = Results::default();
        put(&mut results, Test::PingPong, SMALL, Road::Kernel, 70_000.0);
        put(&mut results, Test::PingPong, SMALL, Road::CacheLine, 110.0);
        put(&mut results, Test::PingPong, SMALL, Road::Vmmc, 340.0);
        assert_eq!(met(&results, "8 B ping-pong against kernel TCP, blocking"), Some(true));
        assert_eq!(met(&results, "8 B ping-pong, cost against the bare cache line"), Some(false));
    }

    #[test]
    fn the_worse_end_counts() {
        let mut results = Results::default();
        put(&mut results, Test::Stream, LARGE, Road::Kernel, 100.0);
        put(&mut results, Test::Stream, LARGE, Road::VmmcClient, 99.0);
        assert_eq!(met(&results, "one end not enabled, 256 KiB stream"), None);
        put(&mut results, Test::Stream, LARGE, Road::VmmcServer, 90.0);
        assert_eq!(met(&results, "one end not enabled, 256 KiB stream"), Some(false));
    }

    #[test]
    fn idle_connections_have_limits() {
        let mut results = Results::default();
        put(&mut results, Test::IdleCpu, 0, Road::Vmmc, 0.001);
        put(&mut results, Test::IdleMemory, 0, Road::Vmmc, 40_000.0);
        assert_eq!(met(&results, "1000 idle connections, processor"), Some(true));
        assert_eq!(met(&results, "1000 idle connections, memory"), Some(false));
    }
}
