//! One message there, the same back.

use anyhow::{Result, ensure};

use super::channel::Channel;
use super::{begin, done, listening, measure};
use crate::job::Job;
use crate::system::socket::{Listener, Socket};

pub(super) fn serve(job: &Job) -> Result<()> {
    let listener = Listener::open(job.transport)?;
    listening(&listener.address()?)?;
    let socket = listener.accept()?;
    socket.send_at_once()?;
    let mut channel = Channel::new(socket, job.waiting)?;
    let mut message = vec![0; job.size];
    done(measure::all(|| {
        let mut count = 0;
        while channel.receive(&mut message)? {
            channel.send(&message)?;
            count += 1;
        }
        Ok((count, count * job.size as u64))
    })?)
}

pub(super) fn call(job: &Job) -> Result<()> {
    let socket = Socket::connect(job.transport, begin(job)?)?;
    socket.send_at_once()?;
    let mut channel = Channel::new(socket, job.waiting)?;
    let (mut sent, mut received) = (vec![0; job.size], vec![0; job.size]);
    let mut number = 0_u8;
    let measured = measure::each(job, || {
        number = number.wrapping_add(1);
        sent[0] = number;
        channel.send(&sent)?;
        ensure!(channel.receive(&mut received)?, "the server went away");
        ensure!(received[0] == number, "the server's reply belongs to another message");
        Ok(())
    })?;
    channel.finish()?;
    done(measured)
}
