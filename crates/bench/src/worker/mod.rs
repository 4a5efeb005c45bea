//! The two processes of a step: plain programs over plain sockets, which know nothing of VMMC.
//!
//! Each is this executable under its hidden subcommand. It takes a [`Job`], reports on standard output and ends by itself
//! when its time limit is over or its parent is gone. The two floors (`cacheline`, `raw`) use no sockets.

mod cacheline;
mod channel;
mod clock;
mod connect;
mod idle;
mod measure;
mod pingpong;
mod raw;
mod shared;
mod spin;
mod stream;

use std::io::{self, Write};

use anyhow::{Context, Result, bail};

use crate::job::{Job, Measured, Report, Role, Work};
use crate::system::calls;

/// Runs the worker whose order is the only element of `args`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let [order] = args else {
        bail!("the benchmark's worker takes one argument and is not meant to be called by hand")
    };
    let job: Job = serde_json::from_str(order).context("the worker's order is not understood")?;
    calls::end_after(job.limit_seconds);
    calls::end_with_parent();
    if let Some(cpu) = job.cpu {
        calls::pin(cpu).with_context(|| format!("cannot stay on processor {cpu}"))?;
    }
    match (job.work, job.role) {
        (Work::PingPong, Role::Server) => pingpong::serve(&job),
        (Work::PingPong, Role::Client) => pingpong::call(&job),
        (Work::Stream, Role::Server) => stream::serve(&job),
        (Work::Stream, Role::Client) => stream::call(&job),
        (Work::Connect, Role::Server) => connect::serve(&job),
        (Work::Connect, Role::Client) => connect::call(&job),
        (Work::Idle, Role::Server) => idle::serve(&job),
        (Work::Idle, Role::Client) => idle::call(&job),
        (Work::CacheLine, Role::Server) => cacheline::serve(),
        (Work::CacheLine, Role::Client) => cacheline::call(&job),
        (Work::RawPingPong, Role::Server) => raw::serve_pingpong(&job),
        (Work::RawPingPong, Role::Client) => raw::call_pingpong(&job),
        (Work::RawStream, Role::Server) => raw::serve_stream(&job),
        (Work::RawStream, Role::Client) => raw::call_stream(&job),
    }
}

/// Says that the server listens at `address`.
fn listening(address: &str) -> Result<()> {
    say(&Report::Ready { pid: std::process::id(), address: address.to_owned() })
}

/// Says that the client has started, waits for the word to begin, and gives the server's address.
fn begin(job: &Job) -> Result<&str> {
    say(&Report::Ready { pid: std::process::id(), address: String::new() })?;
    wait_for_word()?;
    job.address.as_deref().context("the client was not told where the server is")
}

/// Says what was measured and waits until the parent has seen enough of this process.
fn done(measured: Measured) -> Result<()> {
    say(&Report::Done(measured))?;
    wait_for_word()
}

fn say(report: &Report) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(report)?)?;
    Ok(out.flush()?)
}

fn wait_for_word() -> Result<()> {
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}
