//! What is measured, over what, and what came out.

use serde::Serialize;

use crate::job::Measured;
use crate::stats::median;

/// One number that a benchmark is about.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Test {
    PingPong,
    Epoll,
    Stream,
    Rate,
    Connect,
    IdleCpu,
    IdleMemory,
    RedisGet,
    RedisSet,
    Nginx,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Of a round trip, the median; less is better.
    Nanoseconds,
    BytesPerSecond,
    MessagesPerSecond,
    ConnectionsPerSecond,
    RequestsPerSecond,
    /// Processors in use; less is better.
    Processors,
    /// Bytes of memory per connection, both ends together; less is better.
    BytesPerConnection,
}

impl Test {
    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::PingPong | Self::Epoll => Unit::Nanoseconds,
            Self::Stream => Unit::BytesPerSecond,
            Self::Rate => Unit::MessagesPerSecond,
            Self::Connect => Unit::ConnectionsPerSecond,
            Self::IdleCpu => Unit::Processors,
            Self::IdleMemory => Unit::BytesPerConnection,
            Self::RedisGet | Self::RedisSet | Self::Nginx => Unit::RequestsPerSecond,
        }
    }

    /// Whether a ratio to the kernel's number says anything: an idle kernel socket costs next to nothing.
    pub(crate) fn against_kernel(self) -> bool {
        !matches!(self, Self::IdleCpu | Self::IdleMemory)
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::PingPong => "ping-pong, round trip",
            Self::Epoll => "ping-pong through epoll_wait, round trip",
            Self::Stream => "stream, one way",
            Self::Rate => "messages, one way",
            Self::Connect => "short connections (connect, request, reply, close)",
            Self::IdleCpu => "1000 idle connections, processor use of both ends",
            Self::IdleMemory => "1000 idle connections, memory of both ends, each",
            Self::RedisGet => "redis GET (redis-benchmark, 50 clients, no pipeline)",
            Self::RedisSet => "redis SET (redis-benchmark, 50 clients, no pipeline)",
            Self::Nginx => "nginx (wrk, 64 keep-alive connections, 1 KiB file)",
        }
    }
}

impl Unit {
    pub(crate) fn less_is_better(self) -> bool {
        matches!(self, Self::Nanoseconds | Self::Processors | Self::BytesPerConnection)
    }
}

/// How data travels between the two ends.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Road {
    Kernel,
    KernelBusy,
    Unix,
    Vmmc,
    VmmcAsleep,
    VmmcClient,
    VmmcServer,
    Raw,
    CacheLine,
    /// The same measured under Wine, beside what Linux itself does.
    Wine,
    WineVmmc,
    WineClient,
    WineServer,
    WineRaw,
}

impl Road {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Kernel => "kernel TCP",
            Self::KernelBusy => "kernel TCP, busy-polled",
            Self::Unix => "AF_UNIX",
            Self::Vmmc => "VMMC sockets",
            Self::VmmcAsleep => "VMMC sockets, --spin off",
            Self::VmmcClient => "only the client enabled",
            Self::VmmcServer => "only the server enabled",
            Self::Raw => "raw VMMC",
            Self::CacheLine => "bare cache line",
            Self::Wine => "Wine: its own sockets",
            Self::WineVmmc => "Wine: VMMC sockets",
            Self::WineClient => "Wine: only the client",
            Self::WineServer => "Wine: only the server",
            Self::WineRaw => "Wine: raw VMMC",
        }
    }

    /// Whether both ends are enabled, so that data is expected to travel through memory.
    pub(crate) fn accelerated(self) -> bool {
        matches!(self, Self::Vmmc | Self::VmmcAsleep | Self::WineVmmc)
    }

    /// Whether its programs are Windows programs, run by Wine.
    pub(crate) fn under_wine(self) -> bool {
        matches!(self, Self::Wine | Self::WineVmmc | Self::WineClient | Self::WineServer | Self::WineRaw)
    }
}

/// One test over one road with one size.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) test: Test,
    /// Bytes of a message; 0 where the test has no such thing.
    pub(crate) size: usize,
    pub(crate) road: Road,
}

/// One measurement of a case.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// In the test's unit.
    pub(crate) value: f64,
    /// Processors that both ends together kept busy.
    pub(crate) processors: Option<f64>,
    /// What the two ends reported.
    pub(crate) client: Option<Measured>,
    pub(crate) server: Option<Measured>,
    /// The share of the data that the client's VMMC sockets moved through memory; absent without the library.
    pub(crate) through_memory: Option<f64>,
}

/// A case's measurements.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Series {
    #[serde(flatten)]
    pub(crate) case: Case,
    pub(crate) unit: Unit,
    /// By round, so that one round's cases can be compared; `None` where there is none.
    pub(crate) samples: Vec<Option<Sample>>,
    /// Why there are no more samples.
    pub(crate) failed: Option<String>,
    /// What was started, the server first.
    pub(crate) commands: Vec<String>,
    /// Medians over the rounds.
    pub(crate) median: Option<f64>,
    pub(crate) median_p99_ns: Option<f64>,
    pub(crate) median_processors: Option<f64>,
    pub(crate) median_through_memory: Option<f64>,
}

impl Series {
    pub(crate) fn new(case: Case) -> Self {
        Self {
            case,
            unit: case.test.unit(),
            samples: Vec::new(),
            failed: None,
            commands: Vec::new(),
            median: None,
            median_p99_ns: None,
            median_processors: None,
            median_through_memory: None,
        }
    }

    pub(crate) fn add(&mut self, round: usize, sample: Sample) {
        self.samples.resize(self.samples.len().max(round + 1), None);
        self.samples[round] = Some(sample);
        self.median = self.over_rounds(|sample| Some(sample.value));
        self.median_p99_ns = self.over_rounds(|sample| Some(sample.client?.latency?.p99_ns));
        self.median_processors = self.over_rounds(|sample| sample.processors);
        self.median_through_memory = self.over_rounds(|sample| sample.through_memory);
    }

    fn over_rounds(&self, field: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.samples.iter().flatten().filter_map(field).collect();
        median(&values)
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    series: Vec<Series>,
}

impl Results {
    /// All series, in the order of the tables.
    pub(crate) fn sorted(&self) -> Vec<&Series> {
        let mut sorted: Vec<&Series> = self.series.iter().collect();
        sorted.sort_by_key(|series| series.case);
        sorted
    }

    pub(crate) fn find(&self, case: Case) -> Option<&Series> {
        self.series.iter().find(|series| series.case == case)
    }

    /// The series of `case`, made now if there is none.
    pub(crate) fn series(&mut self, case: Case) -> &mut Series {
        let found = self.series.iter().position(|series| series.case == case);
        let index = found.unwrap_or_else(|| {
            self.series.push(Series::new(case));
            self.series.len() - 1
        });
        &mut self.series[index]
    }

    /// How many times better `case` is than the same over road `than`: the median of the rounds' ratios.
    pub(crate) fn better(&self, case: Case, than: Road) -> Option<f64> {
        let (ours, theirs) = (self.find(case)?, self.find(Case { road: than, ..case })?);
        let rounds = ours.samples.iter().zip(&theirs.samples);
        let ratios = rounds.filter_map(|(ours, theirs)| Some(ours.as_ref()?.value / theirs.as_ref()?.value));
        let ratio = median(&ratios.filter(|ratio| ratio.is_finite()).collect::<Vec<f64>>())?;
        Some(if ours.unit.less_is_better() { 1.0 / ratio } else { ratio })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(test: Test, kernel: &[f64], vmmc: &[f64]) -> Results {
        let mut results = Results::default();
        for (road, values) in [(Road::Kernel, kernel), (Road::Vmmc, vmmc)] {
            for (round, value) in values.iter().enumerate() {
                let sample = Sample { value: *value, ..Sample::default() };
                results.series(Case { test, size: 8, road }).add(round, sample);
            }
        }
        results
    }

    #[test]
    fn a_ratio_compares_rounds_and_says_how_much_better() {
        let case = |test| Case { test, size: 8, road: Road::Vmmc };
        let latency = results(Test::PingPong, &[100.0, 200.0, 900.0], &[10.0, 20.0, 30.0]);
        assert_eq!(latency.better(case(Test::PingPong), Road::Kernel), Some(10.0));
        let rate = results(Test::Rate, &[100.0, 200.0], &[400.0, 800.0, 9.0]);
        assert_eq!(rate.better(case(Test::Rate), Road::Kernel), Some(4.0));
        assert_eq!(rate.better(case(Test::Rate), Road::Unix), None);
    }

    #[test]
    fn a_missing_round_is_left_out() {
        let mut series = Series::new(Case { test: Test::Rate, size: 64, road: Road::Unix });
        series.add(2, Sample { value: 5.0, ..Sample::default() });
        assert_eq!((series.samples.len(), series.median), (3, Some(5.0)));
    }
}
