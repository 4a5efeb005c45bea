//! Raw VMMC: deliberate updates into the peer's exported window, both ends polling. No sockets layer, no system call.
//!
//! Each end exports one window. Up to [`MAIL`] bytes travel in the line of the word that announces them; more go through a
//! ring in pieces, so that the receiver copies one piece out while the sender writes the next.

use anyhow::{Context, Result, ensure};
use vmmc_contract::{Export, Import};
use vmmc_shm::{Segment, ShmExport, ShmImport};

use super::stream::timed;
use super::{begin, done, listening, measure, spin};
use crate::job::Job;
use crate::system::{WARM_UP, calls};

/// Bytes put so far (or, of letters, their number); [`LAST`] at the end.
const TAIL: usize = 0;
/// A letter, in the tail's line.
const LETTER: usize = 8;
const MAIL: usize = 64 - LETTER;
/// Bytes of the opposite direction consumed so far.
const CREDIT: usize = 0x100;
const RING: usize = 0x1000;
/// More than a processor's own second-level cache, so that a line that is written again has gone to the cache that both ends
/// share: measured, several times the bandwidth of a ring of 256 KiB, whose lines stay the other processor's.
const CAPACITY: usize = 2 << 20;
const WINDOW: usize = RING + CAPACITY;
/// The largest piece of a message that is announced at once.
const PIECE: usize = 16 << 10;
/// Consumed bytes that are reported together, unless there is nothing else to do.
const REPORT: u64 = (CAPACITY / 16) as u64;
const LAST: u64 = u64::MAX;

/// One end: what it exports, what it imports, and its counts.
#[derive(Debug)]
struct End {
    incoming: ShmExport,
    outgoing: ShmImport,
    put: u64,
    credit: u64,
    taken: u64,
    reported: u64,
}

impl End {
    /// The end whose own window is number `own` (0 or 1) of the segment's two.
    fn new(segment: &Segment, own: usize) -> Result<Self> {
        let incoming = segment.export(own * WINDOW, WINDOW).context("the export does not fit")?;
        let outgoing = segment.import((1 - own) * WINDOW, WINDOW).context("the import does not fit")?;
        Ok(Self { incoming, outgoing, put: 0, credit: 0, taken: 0, reported: 0 })
    }

    fn send(&mut self, message: &[u8]) -> Result<()> {
        if message.len() > MAIL {
            return self.send_pieces(message);
        }
        self.put += 1;
        self.outgoing.write(LETTER, message)?;
        Ok(self.outgoing.store(TAIL, self.put)?)
    }

    fn send_pieces(&mut self, mut message: &[u8]) -> Result<()> {
        while !message.is_empty() {
            let at = self.put as usize % CAPACITY;
            let length = message.len().min(PIECE).min(CAPACITY - at);
            let needed = (self.put + length as u64).saturating_sub(CAPACITY as u64);
            if self.credit < needed {
                self.credit = spin::until(|| self.credit_of(needed));
            }
            let (piece, rest) = message.split_at(length);
            self.outgoing.write(RING + at, piece)?;
            self.put += length as u64;
            self.outgoing.store(TAIL, self.put)?;
            message = rest;
        }
        Ok(())
    }

    /// Fills `message`; `false` at the end.
    fn receive(&mut self, message: &mut [u8]) -> Result<bool> {
        if message.len() <= MAIL {
            if self.wait_for_tail()? == LAST {
                return Ok(false);
            }
            self.taken += 1;
            return Ok(self.incoming.read(LETTER, message));
        }
        let mut filled = 0;
        while filled < message.len() {
            match self.receive_some(&mut message[filled..])? {
                0 => return Ok(false),
                count => filled += count,
            }
        }
        Ok(true)
    }

    /// Takes what there is from the ring, at least a byte; 0 at the end.
    fn receive_some(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let tail = self.wait_for_tail()?;
        if tail == LAST {
            return Ok(0);
        }
        let at = self.taken as usize % CAPACITY;
        let length = buffer.len().min((tail - self.taken) as usize).min(CAPACITY - at).min(PIECE);
        ensure!(self.incoming.read(RING + at, &mut buffer[..length]), "a read outside the window");
        self.taken += length as u64;
        if self.taken - self.reported >= REPORT {
            self.report()?;
        }
        Ok(length)
    }

    fn wait_for_tail(&mut self) -> Result<u64> {
        let mut tail = self.incoming.load(TAIL);
        if tail == self.taken && self.reported < self.taken {
            self.report()?;
        }
        if tail == self.taken {
            tail = spin::until(|| Some(self.incoming.load(TAIL)).filter(|tail| *tail != self.taken));
        }
        Ok(tail)
    }

    fn report(&mut self) -> Result<()> {
        self.reported = self.taken;
        Ok(self.outgoing.store(CREDIT, self.taken)?)
    }

    /// What the peer has consumed, if that is at least `needed`.
    fn credit_of(&self, needed: u64) -> Option<u64> {
        Some(self.incoming.load(CREDIT)).filter(|credit| *credit >= needed)
    }

    /// Waits until the peer has consumed everything, and ends its loop.
    fn finish(&mut self) -> Result<()> {
        spin::until(|| self.credit_of(self.put));
        Ok(self.outgoing.store(TAIL, LAST)?)
    }
}

/// The server's end; the segment stays open for the client to find.
fn open() -> Result<End> {
    let (segment, fd) = Segment::create(2 * WINDOW)?;
    listening(&calls::name_of(fd))?;
    let end = End::new(&segment, 0)?;
    spin::until(|| Some(end.incoming.load(TAIL)).filter(|tail| *tail != 0));
    Ok(end)
}

fn join(name: &str) -> Result<End> {
    let section = calls::open(name).with_context(|| name.to_owned())?;
    End::new(&Segment::map(section.number())?, 1)
}

pub(super) fn serve_pingpong(job: &Job) -> Result<()> {
    let mut end = open()?;
    let mut message = vec![0; job.size];
    done(measure::all(|| {
        let mut count = 0;
        while end.receive(&mut message)? {
            end.send(&message)?;
            count += 1;
        }
        Ok((count, count * job.size as u64))
    })?)
}

pub(super) fn call_pingpong(job: &Job) -> Result<()> {
    let mut end = join(begin(job)?)?;
    let (sent, mut received) = (vec![7; job.size], vec![0; job.size]);
    let measured = measure::each(job, || {
        end.send(&sent)?;
        ensure!(end.receive(&mut received)?, "the server went away");
        Ok(())
    })?;
    end.outgoing.store(TAIL, LAST)?;
    done(measured)
}

pub(super) fn serve_stream(job: &Job) -> Result<()> {
    let mut end = open()?;
    let mut buffer = vec![0; job.size.max(64 << 10)];
    done(measure::all(|| {
        while end.receive_some(&mut buffer)? > 0 {}
        Ok((end.taken / job.size as u64, end.taken))
    })?)
}

pub(super) fn call_stream(job: &Job) -> Result<()> {
    let mut end = join(begin(job)?)?;
    let message = vec![7; job.size];
    let warm_up = Job { seconds: WARM_UP.as_secs_f64(), ..job.clone() };
    timed(&warm_up, || end.send_pieces(&message))?;
    let sent = timed(job, || end.send_pieces(&message))?;
    end.finish()?;
    done(sent.end(job))
}
