//! One step with two workers: start both, let them measure, look at them, end them.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::accelerated;
use crate::job::{Job, Measured, Role};
use crate::machine;
use crate::model::{Case, Road, Sample, Test};
use crate::plan::{IDLE_CONNECTIONS, Plan, SMALL, job};
use crate::process::{Enabled, Worker};

/// How each end of a road is started: server, client.
fn enabled(road: Road) -> [Enabled; 2] {
    match road {
        Road::Kernel | Road::KernelBusy | Road::Unix | Road::Raw | Road::CacheLine => [Enabled::No, Enabled::No],
        Road::Vmmc => [Enabled::Yes, Enabled::Yes],
        Road::VmmcAsleep => [Enabled::Asleep, Enabled::Asleep],
        Road::VmmcClient => [Enabled::No, Enabled::Yes],
        Road::VmmcServer => [Enabled::Yes, Enabled::No],
    }
}

/// Two workers that are ready to begin.
struct Pair {
    server: Worker,
    client: Worker,
}

impl Pair {
    fn start(order: Job, road: Road, cpus: Option<[usize; 2]>) -> Result<Self> {
        let [of_server, of_client] = enabled(road);
        let order = Job { cpu: cpus.map(|cpus| cpus[0]), ..order };
        let server = start(&order, of_server).context("server")?;
        let address = Some(server.address.clone());
        let order = Job { role: Role::Client, address, cpu: cpus.map(|cpus| cpus[1]), ..order };
        let client = start(&order, of_client).context("client")?;
        Ok(Self { server, client })
    }

    fn commands(&self) -> Vec<String> {
        vec![self.server.command.clone(), self.client.command.clone()]
    }
}

fn start(order: &Job, enabled: Enabled) -> Result<Worker> {
    let worker = Worker::start(order, enabled)?;
    if enabled != Enabled::No && !accelerated::library_loaded(worker.pid) {
        bail!("unavailable: {}", worker.complaint().unwrap_or_else(|| "libvmmc.so is not in the program".to_owned()));
    }
    Ok(worker)
}

/// Measures `case` once; also tells what was started.
pub(crate) fn measure(case: Case, plan: &Plan) -> Result<(Sample, Vec<String>)> {
    let mut pair = Pair::start(job(case, plan), case.road, plan.cpus)?;
    pair.client.go_on();
    let client = pair.client.measured().context("client")?;
    let through_memory = accelerated::roads(pair.client.pid).and_then(accelerated::Roads::through_memory);
    pair.client.go_on();
    let server = pair.server.measured().context("server")?;
    pair.server.go_on();
    let processors = [client, server].map(|end| end.cpu.total() / end.seconds.max(1e-6)).iter().sum();
    let sample = Sample {
        value: value(case.test, &client),
        processors: Some(processors),
        client: Some(client),
        server: Some(server),
        through_memory,
    };
    Ok((sample, pair.commands()))
}

fn value(test: Test, client: &Measured) -> f64 {
    match test {
        Test::PingPong | Test::Epoll => client.latency.map_or(f64::NAN, |latency| latency.p50_ns),
        Test::Stream => client.bytes as f64 / client.seconds,
        _ => client.operations as f64 / client.seconds,
    }
}

/// Time for the connections to come to rest before they are watched.
const SETTLE: Duration = Duration::from_secs(1);
/// The shortest time to watch them.
const WATCH_SECONDS: f64 = 3.0;

/// Watches idle connections over `road`: processors in use, and bytes of memory per connection.
pub(crate) fn idle(road: Road, plan: &Plan) -> Result<([Sample; 2], Vec<String>)> {
    let order = job(Case { test: Test::IdleCpu, size: SMALL, road }, plan);
    let watch = (plan.seconds * 10.0).clamp(WATCH_SECONDS, 10.0);
    let mut pair = Pair::start(order, road, plan.cpus)?;
    let pids = [pair.server.pid, pair.client.pid];
    let memory_before = sum(pids.map(machine::resident_bytes))?;
    pair.client.go_on();
    pair.client.measured().context("client")?;
    sleep(SETTLE);
    let cpu_before = sum(pids.map(machine::cpu_seconds))?;
    sleep(Duration::from_secs_f64(watch));
    let cpu = sum(pids.map(machine::cpu_seconds))? - cpu_before;
    let memory = sum(pids.map(machine::resident_bytes))? - memory_before;
    if road.accelerated() {
        let roads = accelerated::roads(pair.client.pid).context("the client keeps no table of its sockets")?;
        ensure!(
            roads.both_ways >= IDLE_CONNECTIONS,
            "only {} of {IDLE_CONNECTIONS} connections used memory in both directions",
            roads.both_ways
        );
    }
    let sample = |value| Sample { value, ..Sample::default() };
    Ok(([sample(cpu / watch), sample(memory / IDLE_CONNECTIONS as f64)], pair.commands()))
}

fn sum(values: [Result<f64>; 2]) -> Result<f64> {
    let [one, other] = values;
    Ok(one? + other?)
}
