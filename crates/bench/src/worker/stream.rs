//! Messages one way. The server answers one byte to each burst of the warm-up and one at the end of the stream, so that the
//! client's clock covers exactly the bytes that arrived.

use std::io::{Read, Write};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::clock::Moment;
use super::{begin, done, listening, measure};
use crate::job::{Job, Measured};
use crate::system::WARM_UP;
use crate::system::calls::cpu_time;
use crate::system::socket::{Listener, Socket};

/// Bursts of the warm-up.
pub(super) const BURSTS: u32 = 20;
/// What the receiver reads at once (or one message, if that is more).
const READ_BUFFER: usize = 64 << 10;
/// The clock is looked at once in so many bytes.
pub(super) const LOOK_EVERY: usize = 16 << 10;

/// Messages in a burst of the warm-up.
pub(super) fn burst(size: usize) -> usize {
    (READ_BUFFER / size).max(1)
}

pub(super) fn serve(job: &Job) -> Result<()> {
    let listener = Listener::open(job.transport)?;
    listening(&listener.address()?)?;
    let mut socket = listener.accept()?;
    let mut buffer = vec![0; READ_BUFFER.max(job.size)];
    let burst = (burst(job.size) * job.size) as u64;
    done(measure::all(|| {
        let (mut bytes, mut answered) = (0, 0);
        loop {
            let count = socket.read(&mut buffer)? as u64;
            bytes += count;
            if count == 0 {
                socket.write_all(&[1])?;
                return Ok((bytes / job.size as u64, bytes));
            }
            if answered < BURSTS && bytes >= burst * u64::from(answered + 1) {
                answered += 1;
                socket.write_all(&[1])?;
            }
        }
    })?)
}

pub(super) fn call(job: &Job) -> Result<()> {
    let mut socket = Socket::connect(job.transport, begin(job)?)?;
    let message = vec![7; job.size];
    for _ in 0..BURSTS {
        for _ in 0..burst(job.size) {
            socket.write_all(&message)?;
        }
        answer(&mut socket)?;
        sleep(WARM_UP / BURSTS);
    }
    let measured = timed(job, || Ok(socket.write_all(&message)?))?;
    socket.finish()?;
    answer(&mut socket)?;
    done(measured.end(job))
}

/// A one-way measurement whose last bytes are still on their way.
#[derive(Debug)]
pub(super) struct Sent {
    begun: Moment,
    cpu: crate::job::Cpu,
    messages: u64,
}

/// Sends for the job's time.
pub(super) fn timed(job: &Job, mut send: impl FnMut() -> Result<()>) -> Result<Sent> {
    let (length, look_every) = (Duration::from_secs_f64(job.seconds), (LOOK_EVERY / job.size).max(1));
    let (cpu, begun, mut messages) = (cpu_time(), Moment::now(), 0);
    while begun.elapsed() < length {
        for _ in 0..look_every {
            send()?;
        }
        messages += look_every as u64;
    }
    Ok(Sent { begun, cpu, messages })
}

impl Sent {
    /// The last byte has arrived.
    pub(super) fn end(self, job: &Job) -> Measured {
        Measured {
            seconds: self.begun.elapsed().as_secs_f64(),
            operations: self.messages,
            bytes: self.messages * job.size as u64,
            cpu: cpu_time() - self.cpu,
            latency: None,
        }
    }
}

fn answer(socket: &mut Socket) -> Result<()> {
    let count = socket.read(&mut [0]).context("the server's answer")?;
    ensure!(count == 1, "the server went away");
    Ok(())
}
