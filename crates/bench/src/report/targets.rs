//! What the project promises, and whether this run kept it.

use serde::Serialize;

use super::show;
use crate::model::{Case, Results, Road, Test};
use crate::system;

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
pub(crate) struct Ratio {
    pub(crate) what: &'static str,
    pub(crate) test: Test,
    pub(crate) size: usize,
    /// The worst of these counts.
    pub(crate) roads: &'static [Road],
    pub(crate) than: Road,
    pub(crate) at_least: f64,
}

/// A promise about what one road costs at most against another.
pub(crate) struct Cost {
    pub(crate) what: &'static str,
    pub(crate) test: Test,
    pub(crate) size: usize,
    pub(crate) road: Road,
    pub(crate) against: Road,
    pub(crate) at_most: f64,
}

/// What a thousand idle connections may use at most.
pub(crate) struct Limit {
    pub(crate) what: &'static str,
    pub(crate) test: Test,
    pub(crate) at_most: f64,
}

/// Everything that is promised for the programs of one system.
pub(crate) struct Promises {
    pub(crate) costs: &'static [Cost],
    pub(crate) ratios: &'static [Ratio],
    pub(crate) limits: &'static [Limit],
}

pub(crate) const fn ratio(what: &'static str, test: Test, size: usize, than: Road, at_least: f64) -> Ratio {
    Ratio { what, test, size, roads: &[Road::Vmmc], than, at_least }
}

/// The targets of the tests that were asked for, in the order of the promise.
pub(crate) fn targets(results: &Results) -> Vec<Target> {
    let asked = |test, under_wine| {
        let mut series = results.sorted().into_iter();
        series.any(|series| series.case.test == test && series.case.road.under_wine() == under_wine)
    };
    let mut targets = Vec::new();
    for (promises, under_wine) in system::PROMISES.iter().zip([false, true]) {
        let costs = promises.costs.iter().map(|cost| (cost.test, cost.judge(results)));
        let ratios = promises.ratios.iter().map(|ratio| (ratio.test, ratio.judge(results)));
        let limits = promises.limits.iter().map(|limit| (limit.test, limit.judge(results)));
        let all = costs.chain(ratios).chain(limits);
        targets.extend(all.filter(|(test, _)| asked(*test, under_wine)).map(|(_, target)| target));
    }
    targets
}

impl Cost {
    fn judge(&self, results: &Results) -> Target {
        let case = Case { test: self.test, size: self.size, road: self.against };
        let target = format!("<= {}", show::ratio(self.at_most));
        judged(self.what, target, results.better(case, self.road), show::ratio, |value| value <= self.at_most)
    }
}

impl Limit {
    fn judge(&self, results: &Results) -> Target {
        let case = Case { test: self.test, size: 0, road: Road::Vmmc };
        let value = results.find(case).and_then(|series| series.median);
        let shown = |value| show::value(value, self.test.unit());
        let target = format!("<= {}", shown(self.at_most));
        judged(self.what, target, value, shown, |value| value <= self.at_most)
    }
}

impl Ratio {
    fn judge(&self, results: &Results) -> Target {
        let better = |road: &Road| results.better(Case { test: self.test, size: self.size, road: *road }, self.than);
        let worst = self.roads.iter().map(better).reduce(|one, other| Some(one?.min(other?))).flatten();
        let target = format!(">= {}", show::ratio(self.at_least));
        judged(self.what, target, worst, show::ratio, |value| value >= self.at_least)
    }
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
    use crate::plan::{LARGE, SMALL};

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
