//! The demonstration: an unmodified redis on the kernel road and over VMMC, measured one after the other.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::command::{self, Owned};
use crate::{gates, machine};

/// What redis-benchmark does in each run.
const BENCHMARK: &[&str] = &["-t", "set,get", "-n", "1000000", "-c", "50", "--csv"];
/// When `vmmc status` is asked: the connections have moved to memory by then, and are still there.
const STATUS_AFTER: Duration = Duration::from_millis(700);
const BENCHMARK_LIMIT: Duration = Duration::from_secs(120);
/// How much of `vmmc status` is shown.
const STATUS_LINES: usize = 9;
const START_LIMIT: Duration = Duration::from_secs(20);

/// Where things are: the command, and a runtime directory of our own.
struct Stage {
    vmmc: PathBuf,
    runtime: PathBuf,
}

/// What redis-benchmark reported: requests per second and median latency in milliseconds, per test.
struct Rates(Vec<(String, f64, f64)>);

/// Runs it.
pub(crate) fn run() -> Result<()> {
    machine::setup(machine::Scope::Demo)?;
    println!("building (a minute or two the first time) …");
    gates::build_release()?;
    let runtime = std::env::temp_dir().join(format!("vmmc-demo-{}", std::process::id()));
    std::fs::create_dir_all(&runtime)?;
    let stage = Stage { vmmc: command::root().join("target/release/vmmc"), runtime };
    let result = show(&stage);
    if result.is_ok() {
        let _ = std::fs::remove_dir_all(&stage.runtime);
    }
    result.with_context(|| format!("what the programs wrote is in {}", stage.runtime.display()))
}

/// Broker, both measurements, table, advice.
fn show(stage: &Stage) -> Result<()> {
    let _broker = Owned(stage.command("broker").args(["broker"]).spawn().context("cannot start the broker")?);
    println!("\n1. redis-server and redis-benchmark as they are, over kernel TCP");
    let kernel = measure(stage, false)?;
    println!("\n2. the same two programs, each started with `vmmc run --`");
    let vmmc = measure(stage, true)?;
    println!("\n{:<8}{:>20}{:>20}{:>10}", "", "kernel TCP", "VMMC", "ratio");
    for ((test, before, before_ms), (_, after, after_ms)) in kernel.0.iter().zip(&vmmc.0) {
        println!("{test:<8}{before:>12.0} req/s {after:>12.0} req/s {:>8.1} x", after / before);
        println!("{:<8}{before_ms:>12.3} ms    {after_ms:>12.3} ms    (median)", "");
    }
    if let Some(load) = busy() {
        println!(
            "\nOther programs kept this machine busy (load {load}): these numbers say little; try again when it is quiet."
        );
    }
    println!("\nTry next (put target/release on your PATH):");
    println!("    vmmc run -- redis-server            any program that speaks TCP; both ends need it");
    println!("    vmmc status                         what is on which road, and why");
    println!(
        "    vmmc bench all                      plain socket programs, kernel TCP against VMMC and the bare memory"
    );
    println!("    vmmc doctor                         what works on this machine");
    Ok(())
}

/// The load before we began, if it was more than the processors can carry: the average of five minutes hardly knows us yet.
fn busy() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let load = text.split_whitespace().nth(1)?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (load.parse::<f64>().ok()? > processors as f64 + 1.0).then(|| load.to_owned())
}

/// One redis, measured; over VMMC `vmmc status` is shown in the middle.
fn measure(stage: &Stage, over_vmmc: bool) -> Result<Rates> {
    let port = free_port()?.to_string();
    let server = ["redis-server", "--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let mut server =
        Owned(stage.guest(over_vmmc, &server).stdout(Stdio::null()).spawn().context("cannot start redis-server")?);
    await_pong(&mut server, port.parse()?)?;
    let words = [&["redis-benchmark", "-h", "127.0.0.1", "-p", &port], BENCHMARK].concat();
    let began = Instant::now();
    let mut client =
        Owned(stage.guest(over_vmmc, &words).stdout(Stdio::piped()).spawn().context("cannot start redis-benchmark")?);
    if over_vmmc {
        sleep(STATUS_AFTER);
        let status = command::output(stage.command("status").args(["status", "--pid", &server.0.id().to_string()]));
        println!(
            "{}",
            status.map_or_else(|error| format!("   {error:#}"), |status| first_lines(&status, STATUS_LINES))
        );
    }
    while client.0.try_wait()?.is_none() {
        if began.elapsed() > BENCHMARK_LIMIT {
            bail!("redis-benchmark took longer than {} s", BENCHMARK_LIMIT.as_secs());
        }
        sleep(Duration::from_millis(20));
    }
    let mut report = String::new();
    client.0.stdout.take().context("no report")?.read_to_string(&mut report)?;
    let rates = parse(&report);
    for (test, rate, _) in &rates.0 {
        println!("   {test}: {rate:.0} requests per second");
    }
    if rates.0.is_empty() {
        bail!("redis-benchmark reported nothing:\n{report}");
    }
    Ok(rates)
}

impl Stage {
    /// `vmmc` with the demonstration's own broker; its errors go to a file named after what it does.
    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(&self.vmmc);
        command.env("VMMC_RUNTIME_DIR", &self.runtime).stdin(Stdio::null()).stderr(log(&self.runtime, what));
        command
    }

    /// A program, plainly or under `vmmc run`.
    fn guest(&self, over_vmmc: bool, words: &[&str]) -> Command {
        let program = words.first().copied().unwrap_or("true");
        let mut command = if over_vmmc { self.command(program) } else { Command::new(program) };
        if over_vmmc {
            command.args(["run", "--", program]);
        }
        command.args(words.iter().skip(1)).current_dir(&self.runtime).stdin(Stdio::null());
        command
    }
}

/// Where a program's errors go.
fn log(directory: &Path, what: &str) -> Stdio {
    std::fs::File::create(directory.join(format!("{what}.log"))).map_or_else(|_| Stdio::null(), Stdio::from)
}

/// A port that nobody listens on.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Waits until redis answers.
fn await_pong(server: &mut Owned, port: u16) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let began = Instant::now();
    while began.elapsed() < START_LIMIT {
        if let Some(status) = server.0.try_wait()? {
            bail!("redis-server ended: {status}");
        }
        if ping(address).is_ok_and(|answer| answer.starts_with(b"+PONG")) {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    bail!("redis-server did not answer within {} s", START_LIMIT.as_secs())
}

fn ping(address: SocketAddr) -> std::io::Result<[u8; 7]> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Reads redis-benchmark's CSV: `"SET","93720.71","0.385","0.112","0.383",…`, the fifth being the median.
fn parse(report: &str) -> Rates {
    let rows = report.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split(',').map(|cell| cell.trim_matches('"')).collect();
        Some(((*cells.first()?).to_owned(), cells.get(1)?.parse().ok()?, cells.get(4)?.parse().ok()?))
    });
    Rates(rows.collect())
}

/// The beginning of a long text.
fn first_lines(text: &str, count: usize) -> String {
    let mut lines: Vec<&str> = text.lines().take(count).collect();
    if text.lines().count() > count {
        lines.push("… (`vmmc status` shows all of them)");
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_read_past_its_heading() {
        let report = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\"\n\
                      \"SET\",\"93720.71\",\"0.385\",\"0.112\",\"0.383\",\"0.551\"\n";
        assert_eq!(parse(report).0, [("SET".to_owned(), 93720.71, 0.383)]);
    }
}
