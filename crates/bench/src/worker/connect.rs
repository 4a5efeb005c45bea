//! Short connections: connect, one request, one reply, close.

use anyhow::{Result, ensure};

use super::channel::Channel;
use super::{begin, done, listening, measure};
use crate::job::Job;
use crate::system::socket::{Listener, Socket};

/// The first byte of the request that ends the server.
const LAST: u8 = 255;

pub(super) fn serve(job: &Job) -> Result<()> {
    let listener = Listener::open(job.transport)?;
    listening(&listener.address()?)?;
    let mut message = vec![0; job.size];
    done(measure::all(|| {
        let mut count = 0;
        while message[0] != LAST {
            let mut channel = Channel::new(listener.accept()?, job.waiting)?;
            if channel.receive(&mut message)? {
                channel.send(&message)?;
                count += 1;
            }
        }
        Ok((count, count * job.size as u64))
    })?)
}

pub(super) fn call(job: &Job) -> Result<()> {
    let address = begin(job)?;
    let mut message = vec![0; job.size];
    let measured = measure::each(job, || exchange(job, address, &mut message))?;
    message[0] = LAST;
    exchange(job, address, &mut message)?;
    done(measured)
}

fn exchange(job: &Job, address: &str, message: &mut [u8]) -> Result<()> {
    let mut channel = Channel::new(Socket::connect(job.transport, address)?, job.waiting)?;
    channel.send(message)?;
    ensure!(channel.receive(message)?, "the server closed without a reply");
    Ok(())
}
