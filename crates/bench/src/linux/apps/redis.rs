//! redis-benchmark against redis-server: GET and SET, 50 clients, no pipeline.

use std::time::Duration;

use anyhow::{Context, Result};

use super::server::{Directory, Output, Server, free_port, installed, output};
use super::{command, enabled};
use crate::model::{Road, Sample};
use crate::plan::Plan;
use crate::process::shown;

/// Requests of each kind for each second of measuring.
const REQUESTS_PER_SECOND: f64 = 100_000.0;
const LIMIT: Duration = Duration::from_secs(60);

/// Requests per second, GET then SET, and what was started.
pub(crate) fn redis(road: Road, plan: &Plan) -> Result<(Vec<Sample>, Vec<String>)> {
    let (server, client) = (installed("redis-server", "redis-server")?, installed("redis-benchmark", "redis-tools")?);
    let (directory, port) = (Directory::new("redis")?, free_port()?.to_string());
    let place = directory.path().to_string_lossy().into_owned();
    let settings = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--dir", &place];
    let server = Server::start(enabled(road), &server, &settings, &directory, port.parse()?)?;
    let requests = ((plan.seconds.max(0.2) * REQUESTS_PER_SECOND) as u64).to_string();
    let load = ["-h", "127.0.0.1", "-p", &port, "-t", "get,set", "-c", "50", "-n", &requests, "--csv"];
    let load = command(enabled(road), &client, &load)?;
    let commands = vec![server.command.clone(), shown(&load)];
    let Output { text, through_memory } = output(load, &directory, LIMIT)?;
    let sample =
        |name| -> Result<Sample> { Ok(Sample { value: rate(&text, name)?, through_memory, ..Sample::default() }) };
    Ok((vec![sample("GET")?, sample("SET")?], commands))
}

/// The second field of the line that begins with `"name"`.
fn rate(csv: &str, name: &str) -> Result<f64> {
    let line = csv.lines().find_map(|line| line.strip_prefix(&format!("\"{name}\",")));
    let field = line
        .and_then(|rest| rest.split(',').next())
        .with_context(|| format!("redis-benchmark told no rate of {name}"))?;
    Ok(field.trim_matches('"').parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_from_the_table() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"83333.34\",\"0.3\"\n\"GET\",\"90909.09\",\"0.2\"\n";
        assert_eq!(rate(csv, "GET").expect("a rate"), 90909.09);
        assert_eq!(rate(csv, "SET").expect("a rate"), 83333.34);
        assert!(rate(csv, "INCR").is_err());
    }
}
