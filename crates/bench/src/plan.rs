//! Which steps the options ask for, in the order of one round.

use std::path::PathBuf;

use crate::job::{Job, Role, Transport, Waiting, Work};
use crate::model::{Case, Road, Test};
use crate::options::{Benchmark, Options, RoadChoice};
use crate::system;

/// The ping-pong that the targets speak of.
pub(crate) const SMALL: usize = 8;
/// The stream that the targets speak of.
pub(crate) const LARGE: usize = system::LARGE;
/// The stream that the targets for Windows programs speak of.
pub(crate) const LARGE_UNDER_WINE: usize = 64 << 10;
/// The messages of the rate test and of a short connection.
pub(crate) const MESSAGE: usize = 64;
/// Idle connections.
pub(crate) const IDLE_CONNECTIONS: usize = 1000;

const SIZES: [usize; 11] = [1, SMALL, 16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
const QUICK_SIZES: [usize; 4] = [SMALL, 1 << 10, 64 << 10, 256 << 10];

/// One pair of processes, or one run of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Two workers; one number comes out.
    Pair(Case),
    /// Two workers with idle connections.
    Idle(Road),
    Redis(Road),
    Nginx(Road),
}

/// What will be done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The steps of one round.
    pub(crate) steps: Vec<Step>,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    /// Server's and client's processor.
    pub(crate) cpus: Option<[usize; 2]>,
    /// The `vmmc.exe` that is measured under Wine.
    pub(crate) wine: Option<PathBuf>,
}

impl Step {
    /// How often it is measured at most: long steps need no more.
    pub(crate) fn rounds_max(self) -> usize {
        match self {
            Self::Pair(_) => usize::MAX,
            Self::Idle(_) => 1,
            Self::Redis(_) | Self::Nginx(_) => 3,
        }
    }

    /// The numbers that come out.
    pub(crate) fn cases(self) -> Vec<Case> {
        let case = |test, size, road| Case { test, size, road };
        match self {
            Self::Pair(case) => vec![case],
            Self::Idle(road) => vec![case(Test::IdleCpu, 0, road), case(Test::IdleMemory, 0, road)],
            Self::Redis(road) => vec![case(Test::RedisGet, 0, road), case(Test::RedisSet, 0, road)],
            Self::Nginx(road) => vec![case(Test::Nginx, 0, road)],
        }
    }

    pub(crate) fn road(self) -> Road {
        match self {
            Self::Pair(case) => case.road,
            Self::Idle(road) | Self::Redis(road) | Self::Nginx(road) => road,
        }
    }
}

impl Plan {
    pub(crate) fn new(options: &Options, cpus: Option<[usize; 2]>) -> Self {
        let all = options.benchmark == Benchmark::All;
        let mut steps = Vec::new();
        for (benchmark, add) in SECTIONS {
            if (all || options.benchmark == *benchmark) && system::BENCHMARKS.contains(benchmark) {
                add(options, &mut steps);
            }
        }
        let chosen = |road| options.roads.is_empty() || options.roads.contains(&choice(road));
        let there = |road: Road| !system::NO_ROADS.contains(&road) && (options.wine.is_some() || !road.under_wine());
        steps.retain(|step| chosen(step.road()) && there(step.road()));
        Self {
            steps,
            rounds: options.rounds.unwrap_or(if options.quick { 3 } else { 5 }) as usize,
            seconds: options.seconds.unwrap_or(if options.quick { 0.1 } else { 0.3 }),
            cpus,
            wine: options.wine.clone(),
        }
    }
}

type AddSteps = fn(&Options, &mut Vec<Step>);

const SECTIONS: &[(Benchmark, AddSteps)] = &[
    (Benchmark::Pingpong, pingpong),
    (Benchmark::Epoll, epoll),
    (Benchmark::Stream, stream),
    (Benchmark::Rate, rate),
    (Benchmark::Connect, connect),
    (Benchmark::Idle, idle),
    (Benchmark::Apps, apps),
];

fn choice(road: Road) -> RoadChoice {
    match road {
        Road::Kernel | Road::KernelBusy | Road::Wine => RoadChoice::Kernel,
        Road::Unix => RoadChoice::Unix,
        Road::Vmmc | Road::VmmcAsleep | Road::VmmcClient | Road::VmmcServer => RoadChoice::Vmmc,
        Road::WineVmmc | Road::WineClient | Road::WineServer => RoadChoice::Vmmc,
        Road::Raw | Road::CacheLine | Road::WineRaw => RoadChoice::Floors,
    }
}

fn sizes(options: &Options) -> Vec<usize> {
    match (options.sizes.is_empty(), options.quick) {
        (false, _) => options.sizes.clone(),
        (true, false) => SIZES.to_vec(),
        (true, true) => QUICK_SIZES.to_vec(),
    }
}

fn add(steps: &mut Vec<Step>, test: Test, size: usize, roads: &[Road]) {
    steps.extend(roads.iter().map(|road| Step::Pair(Case { test, size, road: *road })));
}

const WINE: &[Road] = &[Road::Wine, Road::WineClient, Road::WineServer, Road::WineVmmc, Road::WineRaw];

fn pingpong(options: &Options, steps: &mut Vec<Step>) {
    for size in sizes(options) {
        add(steps, Test::PingPong, size, &[Road::Kernel]);
        if size == SMALL {
            add(steps, Test::PingPong, size, &[Road::VmmcAsleep, Road::VmmcClient, Road::VmmcServer, Road::CacheLine]);
        }
        add(steps, Test::PingPong, size, &[Road::KernelBusy, Road::Unix, Road::Vmmc, Road::Raw]);
        if size == SMALL {
            add(steps, Test::PingPong, size, WINE);
        }
    }
}

fn epoll(_: &Options, steps: &mut Vec<Step>) {
    add(steps, Test::Epoll, SMALL, &[Road::Kernel, Road::Unix, Road::Vmmc]);
}

fn stream(options: &Options, steps: &mut Vec<Step>) {
    for size in sizes(options) {
        add(steps, Test::Stream, size, &[Road::Kernel]);
        if size == LARGE {
            add(steps, Test::Stream, size, &[Road::VmmcClient, Road::VmmcServer]);
        }
        add(steps, Test::Stream, size, &[Road::Unix, Road::Vmmc, Road::Raw]);
        if size == LARGE_UNDER_WINE {
            add(steps, Test::Stream, size, WINE);
        }
    }
}

fn rate(_: &Options, steps: &mut Vec<Step>) {
    add(steps, Test::Rate, MESSAGE, &[Road::Kernel, Road::Unix, Road::Vmmc, Road::Raw]);
}

fn connect(_: &Options, steps: &mut Vec<Step>) {
    add(steps, Test::Connect, MESSAGE, &[Road::Kernel, Road::Vmmc]);
}

fn idle(_: &Options, steps: &mut Vec<Step>) {
    steps.extend([Step::Idle(Road::Kernel), Step::Idle(Road::Vmmc)]);
}

fn apps(_: &Options, steps: &mut Vec<Step>) {
    steps.extend([Road::Kernel, Road::Vmmc].map(Step::Redis));
    steps.extend([Road::Kernel, Road::Vmmc].map(Step::Nginx));
}

/// What a step's two workers do: work, kind of socket, way of waiting.
pub(crate) fn orders(case: Case) -> (Work, Transport, Waiting) {
    let transport = if case.road == Road::Unix { Transport::Unix } else { Transport::Tcp };
    let waiting = match (case.test, case.road) {
        (Test::Epoll, _) => Waiting::Epoll,
        (_, Road::KernelBusy) => Waiting::Busy,
        _ => Waiting::Block,
    };
    let work = match (case.test, case.road) {
        (_, Road::CacheLine) => Work::CacheLine,
        (Test::PingPong | Test::Epoll, Road::Raw | Road::WineRaw) => Work::RawPingPong,
        (_, Road::Raw | Road::WineRaw) => Work::RawStream,
        (Test::PingPong | Test::Epoll, _) => Work::PingPong,
        (Test::Stream | Test::Rate, _) => Work::Stream,
        (Test::Connect, _) => Work::Connect,
        _ => Work::Idle,
    };
    (work, transport, waiting)
}

/// A worker's order without its role and address.
pub(crate) fn job(case: Case, plan: &Plan) -> Job {
    let (work, transport, waiting) = orders(case);
    Job {
        work,
        role: Role::Server,
        transport,
        waiting,
        size: case.size.max(1),
        connections: IDLE_CONNECTIONS,
        seconds: plan.seconds,
        address: None,
        cpu: None,
        limit_seconds: limit_seconds(case, plan.seconds),
    }
}

/// The watchdog's time: what the step needs on a slow machine, several times over.
fn limit_seconds(case: Case, seconds: f64) -> u32 {
    let base = match case.test {
        _ if case.road.under_wine() => 120,
        Test::IdleCpu | Test::IdleMemory => 60,
        _ => system::LIMIT_SECONDS,
    };
    base + (seconds * 2.0).ceil() as u32
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn plan(words: &[&str]) -> Plan {
        let words = ["bench"].iter().chain(words);
        let matches = Command::command().try_get_matches_from(words).expect("a valid command line");
        Plan::new(&Command::from_arg_matches(&matches).expect("options").options, None)
    }

    #[test]
    fn every_target_has_its_cases() {
        let all = plan(&["all", "--quick"]);
        let cases: Vec<Case> = all.steps.iter().flat_map(|step| step.cases()).collect();
        for (test, size, road) in [
            (Test::PingPong, SMALL, Road::CacheLine),
            (Test::PingPong, SMALL, Road::VmmcAsleep),
            (Test::Stream, LARGE, Road::Raw),
            (Test::Stream, LARGE, Road::VmmcServer),
            (Test::Epoll, SMALL, Road::Vmmc),
            (Test::Nginx, 0, Road::Vmmc),
        ] {
            assert!(cases.contains(&Case { test, size, road }), "{test:?} {size} {road:?}");
        }
    }

    #[test]
    fn wine_is_measured_beside_the_rest_when_it_is_asked_for() {
        let under_wine = |words| plan(words).steps.iter().filter(|step| step.road().under_wine()).count();
        assert_eq!(under_wine(&["all", "--quick"]), 0);
        assert_eq!(under_wine(&["all", "--quick", "--wine", "vmmc.exe"]), 2 * WINE.len());
    }

    #[test]
    fn a_choice_of_roads_and_sizes_is_obeyed() {
        let few = plan(&["stream", "--sizes", "64,4KiB", "--roads", "kernel,unix"]);
        assert_eq!(few.steps.len(), 4);
        assert!(few.steps.iter().all(|step| matches!(step.road(), Road::Kernel | Road::Unix)));
    }
}
