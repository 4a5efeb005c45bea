//! wrk against nginx: 64 keep-alive connections that fetch a file of 1 KiB.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::server::{Directory, Output, Server, free_port, installed, output};
use super::{command, enabled};
use crate::model::{Road, Sample};
use crate::plan::Plan;
use crate::process::shown;

const LIMIT: Duration = Duration::from_secs(90);

/// Requests per second, and what was started.
pub(crate) fn nginx(road: Road, plan: &Plan) -> Result<(Vec<Sample>, Vec<String>)> {
    let (server, client) = (installed("nginx", "nginx-light")?, installed("wrk", "wrk")?);
    let (directory, port) = (Directory::new("nginx")?, free_port()?);
    let place = directory.path().to_string_lossy().into_owned();
    fs::write(directory.path().join("file"), [b'x'; 1024])?;
    let file = format!("{place}/nginx.conf");
    fs::write(&file, configuration(&place, port))?;
    let arguments = ["-p", &place, "-c", &file, "-e", &format!("{place}/log")];
    let server = Server::start(enabled(road), &server, &arguments, &directory, port)?;
    let seconds = format!("{}s", (plan.seconds * 4.0).ceil().max(1.0));
    let load = ["-t", "1", "-c", "64", "-d", &seconds, &format!("http://127.0.0.1:{port}/file")];
    let load = command(enabled(road), &client, &load)?;
    let commands = vec![server.command.clone(), shown(&load)];
    let Output { text, through_memory } = output(load, &directory, LIMIT)?;
    Ok((vec![Sample { value: rate(&text)?, through_memory, ..Sample::default() }], commands))
}

/// One worker of this user (`user` matters to root only), all files under the directory, no logging of requests.
fn configuration(place: &str, port: u16) -> String {
    // SAFETY: geteuid takes nothing and cannot fail.
    let user = if unsafe { libc::geteuid() } == 0 { "user root;\n" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {place}/temporary;\n"))
        .concat();
    format!(
        "{user}daemon off;\nworker_processes 1;\npid {place}/pid;\nerror_log {place}/log error;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n{temporary}  keepalive_requests 100000000;\n\
         \x20 server {{ listen 127.0.0.1:{port}; root {place}; }}\n}}\n"
    )
}

fn rate(text: &str) -> Result<f64> {
    ensure!(!text.contains("Non-2xx"), "wrk got replies that are no success");
    let rest = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    Ok(rest.context("wrk told no rate")?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_from_the_summary() {
        assert_eq!(rate("  1 threads\nRequests/sec:  48211.07\nTransfer/sec: 1MB\n").expect("a rate"), 48211.07);
        assert!(rate("unable to connect").is_err());
        assert!(rate("  Non-2xx or 3xx responses: 3\nRequests/sec: 10.0\n").is_err());
    }
}
