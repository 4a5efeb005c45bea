//! A load whose every byte is checked: `load serve PORT` and `load drive PORT CONNECTIONS MILLISECONDS SEED`.
//!
//! A plain program over `std::net`, as anybody might write it; the tests kill one end of it and look at the other. For every
//! connection it prints how it ended: `end`, `cut` (before all had come), `refused`, `reset`, `pipe`, or `WRONG …`, which is
//! also exit code 3.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Length of the sequence that a stream repeats: odd, so that no buffer size divides it.
const PERIOD: usize = 65_521;
const CHUNK_MAX: usize = 48 * 1024;
/// Behind a stream's last byte stand a word that no pattern is likely to hold, and how many bytes there were.
const TRAILER: u64 = 0x5eed_0f0e_0d0c_0b0a;

fn main() -> ExitCode {
    let arguments: Vec<u64> = std::env::args().skip(2).filter_map(|argument| argument.parse().ok()).collect();
    let mode = std::env::args().nth(1).unwrap_or_default();
    let fine = match (mode.as_str(), arguments.as_slice()) {
        ("serve", [port]) => serve(*port),
        ("drive", [port, connections, milliseconds, seed]) => drive(*port, *connections, *milliseconds, *seed),
        _ => {
            eprintln!("load serve PORT | load drive PORT CONNECTIONS MILLISECONDS SEED");
            return ExitCode::from(2);
        }
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::from(3) }
}

/// A sequence of numbers from a seed (xorshift).
struct Numbers(u64);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// One direction's bytes, from any offset on.
struct Pattern(Vec<u8>);

impl Pattern {
    fn new(seed: u64, direction: u64) -> Self {
        let mut numbers = Numbers::new(seed ^ (direction << 60));
        let period: Vec<u8> = (0..PERIOD).map(|_| numbers.below(256) as u8).collect();
        Self(period.iter().chain(period.iter().take(CHUNK_MAX)).copied().collect())
    }

    fn at(&self, offset: u64, length: usize) -> &[u8] {
        let from = (offset % PERIOD as u64) as usize;
        &self.0[from..from + length]
    }
}

/// How a connection ended, or the place of the first wrong byte.
fn ending(result: io::Result<()>) -> String {
    match result {
        Ok(()) => "end".to_owned(),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionReset => "reset".to_owned(),
            ErrorKind::BrokenPipe => "pipe".to_owned(),
            ErrorKind::UnexpectedEof => "end".to_owned(),
            ErrorKind::ConnectionAborted => "cut".to_owned(),
            ErrorKind::ConnectionRefused => "refused".to_owned(),
            _ => format!("WRONG {error}"),
        },
    }
}

fn wrong(offset: u64) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("byte at or after offset {offset}"))
}

fn trailer(length: u64) -> [u8; 16] {
    (u128::from(length) << 64 | u128::from(TRAILER)).to_le_bytes()
}

fn serve(port: u64) -> bool {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port as u16)).expect("a port to listen on");
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        thread::spawn(move || println!("{}", ending(serve_one(stream))));
    }
    true
}

/// Reads the seed, then does what it says: its lowest bit chooses between two streams at once and question and answer. The
/// highest seed asks for all bytes back, unchecked.
fn serve_one(mut stream: TcpStream) -> io::Result<()> {
    let mut seed = [0; 8];
    stream.read_exact(&mut seed)?;
    let seed = u64::from_le_bytes(seed);
    if seed == u64::MAX {
        return echo(stream);
    }
    if seed.is_multiple_of(2) { both_streams(stream, seed, 1, None) } else { answer(stream, seed) }
}

/// A connection that broke is held a while, so that it can be looked at.
fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_MAX];
    loop {
        let sent = stream.read(&mut buffer).and_then(|length| stream.write_all(&buffer[..length]).map(|()| length));
        match sent {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => {
                thread::sleep(Duration::from_millis(600));
                return Err(error);
            }
        }
    }
}

fn drive(port: u64, connections: u64, milliseconds: u64, seed: u64) -> bool {
    let until = Instant::now() + Duration::from_millis(milliseconds);
    let workers: Vec<_> = (0..connections)
        .map(|number| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port as u16));
            thread::spawn(move || ending(stream.and_then(|stream| drive_one(stream, seed.wrapping_add(number), until))))
        })
        .collect();
    let endings: Vec<String> =
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| "WRONG panic".into())).collect();
    println!("{}", endings.join("\n"));
    !endings.iter().any(|ending| ending.starts_with("WRONG"))
}

fn drive_one(mut stream: TcpStream, seed: u64, until: Instant) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(&seed.to_le_bytes())?;
    if seed.is_multiple_of(2) { both_streams(stream, seed, 0, Some(until)) } else { ask(stream, seed, until) }
}

/// Sends one pattern and checks the other at the same time, until the time is over or the other end has finished.
fn both_streams(stream: TcpStream, seed: u64, direction: u64, until: Option<Instant>) -> io::Result<()> {
    let finished = Arc::new(AtomicBool::new(false));
    let sender = {
        let (stream, finished) = (stream.try_clone()?, Arc::clone(&finished));
        thread::spawn(move || send_stream(stream, seed, direction, until, &finished))
    };
    let received = check_stream(stream, seed, 1 - direction);
    finished.store(true, Ordering::Relaxed);
    let sent = sender.join().unwrap_or_else(|_| Err(io::Error::other("panic")));
    received.and(sent)
}

fn send_stream(
    mut stream: TcpStream,
    seed: u64,
    direction: u64,
    until: Option<Instant>,
    finished: &AtomicBool,
) -> io::Result<()> {
    let (pattern, mut numbers, mut offset) = (Pattern::new(seed, direction), Numbers::new(seed + 7), 0);
    while !finished.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
        let length = 1 + numbers.below(CHUNK_MAX);
        let length = if numbers.below(2) == 0 { length } else { 1 + length % 200 };
        stream.write_all(pattern.at(offset, length))?;
        offset += length as u64;
    }
    stream.write_all(&trailer(offset))?;
    match stream.shutdown(Shutdown::Write) {
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
        other => other,
    }
}

/// What has come is checked but for its end, which may be the trailer.
fn check_stream(mut stream: TcpStream, seed: u64, direction: u64) -> io::Result<()> {
    let (pattern, mut numbers, mut offset) = (Pattern::new(seed, direction), Numbers::new(seed + 9), 0);
    let (mut buffer, mut come) = (vec![0; CHUNK_MAX], Vec::new());
    loop {
        let wanted = 1 + numbers.below(CHUNK_MAX - size_of::<u128>());
        let length = stream.read(&mut buffer[..wanted])?;
        if length == 0 {
            return if come == trailer(offset) { Ok(()) } else { Err(ErrorKind::ConnectionAborted.into()) };
        }
        come.extend_from_slice(&buffer[..length]);
        let certain = come.len().saturating_sub(size_of::<u128>());
        if come[..certain] != *pattern.at(offset, certain) {
            return Err(wrong(offset));
        }
        come.drain(..certain);
        offset += certain as u64;
    }
}

/// The server's half of question and answer: each message is checked and answered by as many bytes of the other pattern.
fn answer(mut stream: TcpStream, seed: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (asked, answers, mut offset) = (Pattern::new(seed, 0), Pattern::new(seed, 1), 0);
    let mut buffer = vec![0; CHUNK_MAX];
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        let message = buffer.get_mut(..length).ok_or_else(|| wrong(offset))?;
        stream.read_exact(message)?;
        if *message != *asked.at(offset, length) {
            return Err(wrong(offset));
        }
        stream.write_all(answers.at(offset, length))?;
        offset += length as u64;
    }
}

/// The client's half.
fn ask(mut stream: TcpStream, seed: u64, until: Instant) -> io::Result<()> {
    let (asked, answers, mut offset) = (Pattern::new(seed, 0), Pattern::new(seed, 1), 0);
    let mut numbers = Numbers::new(seed);
    let mut buffer = vec![0; CHUNK_MAX];
    while Instant::now() < until {
        let length = 1 + if numbers.below(8) == 0 { numbers.below(CHUNK_MAX) } else { numbers.below(100) };
        stream.write_all(&(length as u32).to_le_bytes())?;
        stream.write_all(asked.at(offset, length))?;
        stream.read_exact(&mut buffer[..length])?;
        if buffer[..length] != *answers.at(offset, length) {
            return Err(wrong(offset));
        }
        offset += length as u64;
    }
    Ok(())
}
