//! One step with two workers: start both, let them measure, look at them, end them.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::job::{Job, Measured, Role};
use crate::model::{Case, Road, Sample, Test};
use crate::plan::{IDLE_CONNECTIONS, Plan, SMALL, job};
use crate::process::{Enabled, Own, Worker};
use crate::status::{self, Roads};
use crate::system::{accelerated, machine};

/// How each end of a road is started: server, client.
fn enabled(road: Road) -> [Enabled; 2] {
    match road {
        Road::Kernel | Road::KernelBusy | Road::Unix | Road::Raw | Road::CacheLine => [Enabled::No, Enabled::No],
        Road::Wine | Road::WineRaw => [Enabled::No, Enabled::No],
        Road::Vmmc | Road::WineVmmc => [Enabled::Yes, Enabled::Yes],
        Road::VmmcAsleep => [Enabled::Asleep, Enabled::Asleep],
        Road::VmmcClient | Road::WineClient => [Enabled::No, Enabled::Yes],
        Road::VmmcServer | Road::WineServer => [Enabled::Yes, Enabled::No],
    }
}

/// Two workers that are ready to begin.
struct Pair {
    server: Worker,
    client: Worker,
}

impl Pair {
    fn start(order: Job, road: Road, plan: &Plan) -> Result<Self> {
        let [of_server, of_client] = enabled(road);
        let command = own(road, plan)?;
        let order = Job { cpu: plan.cpus.map(|cpus| cpus[0]), ..order };
        let server = Worker::start(&order, of_server, &command).context("server")?;
        let address = Some(server.address.clone());
        let order = Job { role: Role::Client, address, cpu: plan.cpus.map(|cpus| cpus[1]), ..order };
        let client = Worker::start(&order, of_client, &command).context("client")?;
        Ok(Self { server, client })
    }

    fn commands(&self) -> Vec<String> {
        vec![self.server.command.clone(), self.client.command.clone()]
    }
}

/// The command whose workers travel this road.
fn own(road: Road, plan: &Plan) -> Result<Own> {
    match &plan.wine {
        Some(command) if road.under_wine() => Own::under_wine(command),
        _ => Own::here(),
    }
}

/// Measures `case` once; also tells what was started.
pub(crate) fn measure(case: Case, plan: &Plan) -> Result<(Sample, Vec<String>)> {
    let mut pair = Pair::start(job(case, plan), case.road, plan)?;
    pair.client.go_on();
    let client = pair.client.measured().context("client")?;
    let through_memory = through_memory(case.road, &pair.client, plan)?;
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

/// The share of its data that a client's VMMC sockets moved through memory.
fn through_memory(road: Road, client: &Worker, plan: &Plan) -> Result<Option<f64>> {
    let roads = match road {
        Road::WineVmmc => status::roads(&own(road, plan)?, client.pid),
        _ if road.under_wine() => None,
        _ => accelerated::roads(client.pid),
    };
    Ok(roads.and_then(Roads::through_memory))
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
    let mut pair = Pair::start(order, road, plan)?;
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
