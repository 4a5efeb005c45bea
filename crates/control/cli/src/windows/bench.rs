//! `vmmc bench`: two plain socket programs over the system's TCP and over VMMC sockets, side by side.
//!
//! Both ends are this executable again, under a hidden subcommand, and differ only in how they are started: by themselves or
//! under `vmmc run`. Rounds are interleaved, so that whatever else the machine does falls on both alike.

use super::floor;
use crate::failure::Failure;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The hidden subcommand under which this executable is one end of a measurement.
pub(crate) const WORKER: &str = "bench-worker";
/// Bytes of a message of the ping-pong, and of a send of the stream.
const SMALL: usize = 8;
const LARGE: usize = 64 * 1024;
/// Before it measures a client does the same for so long, in which a connection finds its road.
const WARM_UP: Duration = Duration::from_millis(1500);
/// An end that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measure: sockets over the system's TCP and over VMMC, side by side
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmmc bench
  vmmc bench --seconds 5 --rounds 5

The floor is a word that two threads pass to and fro in shared memory.")]
pub(crate) struct Options {
    /// How long each measurement takes
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// How often each is made; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
}

/// One end of a measurement
#[derive(Debug, clap::Args)]
pub(crate) struct Worker {
    #[command(subcommand)]
    role: Role,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum Role {
    /// Print the port, and answer one connection
    Serve { test: Test },
    /// Measure, and print one number
    Call { test: Test, port: u16, seconds: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Test {
    PingPong,
    Stream,
}

impl Test {
    fn word(self) -> &'static str {
        match self {
            Self::PingPong => "ping-pong",
            Self::Stream => "stream",
        }
    }
}

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<34}{:>14}{:>14}{:>10}", "", "system's TCP", "VMMC sockets", "better")?;
    for test in [Test::PingPong, Test::Stream] {
        let (mut plain, mut fast) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            plain.push(measure(test, options.seconds, false)?);
            fast.push(measure(test, options.seconds, true)?);
        }
        let (plain, fast) = (median(plain), median(fast));
        match test {
            Test::PingPong => {
                let name = "8 B round trip, median";
                writeln!(out, "{name:<34}{plain:>11.2} µs{fast:>11.2} µs{:>8.1} x", plain / fast)?;
            }
            Test::Stream => {
                let name = "64 KiB sends, one way";
                writeln!(out, "{name:<34}{plain:>9.0} MB/s{fast:>9.0} MB/s{:>8.1} x", fast / plain)?;
            }
        }
    }
    let floor = floor::round_trip(Duration::from_secs(options.seconds.into()))?;
    writeln!(out, "{:<34}{:>14}{floor:>11.2} µs", "a word in shared memory, median", "")?;
    Ok(0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One measurement: microseconds of a round trip, or megabytes in a second.
fn measure(test: Test, seconds: u32, over_vmmc: bool) -> Result<f64, Failure> {
    let mut server = End::start(over_vmmc, &["serve", test.word()])?;
    let port = server.line()?;
    let mut client = End::start(over_vmmc, &["call", test.word(), &port, &seconds.to_string()])?;
    client.line()?.parse().map_err(|_| Failure::of_work("the client printed no number"))
}

/// One end; it is ended when this is dropped.
#[derive(Debug)]
struct End {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl End {
    fn start(over_vmmc: bool, order: &[&str]) -> Result<Self, Failure> {
        let own = std::env::current_exe()?;
        let mut command = Command::new(&own);
        if over_vmmc {
            command.args(["run", "--quiet", "--"]).arg(&own);
        }
        let mut child = command.arg(WORKER).args(order).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let (sender, lines) = std::sync::mpsc::channel();
        let output = child.stdout.take();
        std::thread::spawn(move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok) {
                // The receiver has gone once the measurement is over.
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> Result<String, Failure> {
        self.lines.recv_timeout(PATIENCE).map_err(|_| Failure::of_work("one end of a measurement said nothing"))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // A client has ended by itself, and with its connection its server.
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn work(worker: Worker) -> Result<u8, Failure> {
    match worker.role {
        Role::Serve { test } => serve(test)?,
        Role::Call { test, port, seconds } => {
            let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            socket.set_nodelay(true)?;
            let length = Duration::from_secs(seconds.into());
            let result = match test {
                Test::PingPong => call_ping_pong(socket, length)?,
                Test::Stream => call_stream(socket, length)?,
            };
            writeln!(std::io::stdout(), "{result}")?;
        }
    }
    Ok(0)
}

fn serve(test: Test) -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; LARGE];
    loop {
        let count = socket.read(&mut buffer)?;
        match (count, test) {
            (0, Test::PingPong) => return Ok(()),
            // The stream has arrived whole.
            (0, Test::Stream) => return socket.write_all(&[1]),
            (_, Test::PingPong) => socket.write_all(&buffer[..count])?,
            (_, Test::Stream) => {}
        }
    }
}

/// Microseconds of a round trip.
fn call_ping_pong(mut socket: TcpStream, length: Duration) -> std::io::Result<f64> {
    let begun = Instant::now();
    let mut trips = Vec::with_capacity(1 << 20);
    while begun.elapsed() < WARM_UP + length {
        let trip = Instant::now();
        socket.write_all(&[7; SMALL])?;
        socket.read_exact(&mut [0; SMALL])?;
        if begun.elapsed() >= WARM_UP {
            trips.push(trip.elapsed().as_secs_f64() * 1e6);
        }
    }
    Ok(median(trips))
}

/// Megabytes in a second.
fn call_stream(mut socket: TcpStream, length: Duration) -> std::io::Result<f64> {
    let message = vec![7; LARGE];
    let begun = Instant::now();
    while begun.elapsed() < WARM_UP {
        socket.write_all(&message)?;
    }
    let (begun, mut bytes) = (Instant::now(), 0);
    while begun.elapsed() < length {
        socket.write_all(&message)?;
        bytes += message.len();
    }
    socket.shutdown(Shutdown::Write)?;
    socket.read_exact(&mut [0; 1])?;
    Ok(bytes as f64 / 1e6 / begun.elapsed().as_secs_f64())
}
