//! Many connections that have each exchanged a few messages and then do nothing.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::{begin, done, listening, measure};
use crate::job::{Job, Measured};
use crate::system::calls::{Epoll, allow_many_descriptors, cpu_time};
use crate::system::socket::{Listener, Socket};

/// How often each connection exchanges a message, and the pause after each round.
const ROUNDS: usize = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Echoes on every connection, through one level-triggered epoll set, until all are closed.
pub(super) fn serve(job: &Job) -> Result<()> {
    allow_many_descriptors()?;
    let listener = Listener::open(job.transport)?;
    listening(&listener.address()?)?;
    let (epoll, mut sockets) = (Epoll::new()?, HashMap::new());
    for key in 0..job.connections as u64 {
        let socket = listener.accept()?;
        socket.send_at_once()?;
        epoll.add(socket.number(), key)?;
        sockets.insert(key, socket);
    }
    let (mut keys, mut message) = (Vec::new(), vec![0; job.size]);
    done(measure::all(|| {
        let mut count = 0;
        while !sockets.is_empty() {
            epoll.wait(&mut keys)?;
            for key in &keys {
                let Some(socket) = sockets.get_mut(key) else { continue };
                match socket.read(&mut message)? {
                    0 => drop(sockets.remove(key)),
                    length => socket.write_all(&message[..length])?,
                }
                count += 1;
            }
        }
        Ok((count, count * job.size as u64))
    })?)
}

pub(super) fn call(job: &Job) -> Result<()> {
    allow_many_descriptors()?;
    let (address, cpu) = (begin(job)?, cpu_time());
    let mut sockets = Vec::with_capacity(job.connections);
    for _ in 0..job.connections {
        let socket = Socket::connect(job.transport, address)?;
        socket.send_at_once()?;
        sockets.push(socket);
    }
    let mut message = vec![0; job.size];
    for _ in 0..ROUNDS {
        for socket in &mut sockets {
            socket.write_all(&message)?;
            socket.read_exact(&mut message)?;
        }
        sleep(PAUSE);
    }
    let operations = (ROUNDS * job.connections) as u64;
    let bytes = operations * job.size as u64;
    done(Measured { seconds: 0.0, operations, bytes, cpu: cpu_time() - cpu, latency: None })
}
