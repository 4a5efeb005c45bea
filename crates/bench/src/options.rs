//! The command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Benchmark {
    /// Round trips of one message, blocking; also with one end not enabled and with nobody spinning
    Pingpong,
    /// One-way bulk data
    Stream,
    /// Small messages one way
    Rate,
    /// Round trips through epoll_wait
    Epoll,
    /// Short connections
    Connect,
    /// What a thousand idle connections cost
    Idle,
    /// redis and nginx, if they are installed
    Apps,
    /// Everything
    All,
}

/// Which roads to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoadChoice {
    /// Kernel TCP, blocking and busy-polled
    Kernel,
    /// AF_UNIX stream sockets
    Unix,
    /// VMMC sockets, in all variants
    Vmmc,
    /// Raw VMMC updates and the bare cache line
    Floors,
}

/// Options of `vmmc bench`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  vmmc bench                                    everything, about six minutes on two quiet processors
  vmmc bench pingpong --quick                   a first look, a few seconds
  vmmc bench stream --sizes 4KiB,256KiB         chosen message sizes
  vmmc bench pingpong --quick --wine vmmc.exe   with Windows programs under Wine beside it
  vmmc bench all --json bench.json --plot bench.svg

Ratios are meaningful on two or more quiet processors only. Every step has a time limit, so the command always ends.")]
pub struct Options {
    /// What to measure
    #[arg(value_enum, default_value_t = Benchmark::All)]
    pub benchmark: Benchmark,
    /// Write all results and the machine's facts to FILE
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw latency and bandwidth by size into FILE (SVG)
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Message sizes of the ping-pong and the stream, 1 B to 1 MiB, for example 8,4KiB,1MiB
    #[arg(long, value_name = "SIZE,...", value_delimiter = ',', value_parser = size)]
    pub sizes: Vec<usize>,
    /// Only these roads
    #[arg(long, value_enum, value_name = "ROAD,...", value_delimiter = ',')]
    pub roads: Vec<RoadChoice>,
    /// Seconds of measuring in each step, 0.01 to 60 [default: 0.3; with --quick 0.1]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// How often each step is measured, 1 to 100 [default: 5; with --quick 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: Option<u32>,
    /// Measure this vmmc.exe under Wine as well, with the wsock32.dll beside it
    #[arg(long, value_name = "VMMC.EXE")]
    pub wine: Option<PathBuf>,
    /// Few sizes, few and short rounds
    #[arg(long)]
    pub quick: bool,
    /// Keep the two ends on two different processors
    #[arg(long)]
    pub pin: bool,
    /// Exit with code 1 if a target was missed or could not be measured
    #[arg(long)]
    pub check: bool,
}

/// The largest message.
const SIZE_MAX: usize = 1 << 20;

fn size(text: &str) -> Result<usize, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        _ => return Err("a size is a number of bytes, optionally with KiB or MiB".to_owned()),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(factor));
    bytes.filter(|bytes| (1..=SIZE_MAX).contains(bytes)).ok_or_else(|| "a size is 1 B to 1 MiB".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.01..=60.0).contains(&seconds) { Ok(seconds) } else { Err("0.01 to 60 seconds".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_bounds() {
        assert_eq!(size("8"), Ok(8));
        assert_eq!(size("4KiB"), Ok(4096));
        assert_eq!(size("1MiB"), Ok(SIZE_MAX));
        for wrong in ["", "0", "2MiB", "-1", "8 parsecs", "99999999999999999999"] {
            assert!(size(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn seconds_have_bounds() {
        assert_eq!(seconds("0.5"), Ok(0.5));
        assert!(seconds("0").is_err() && seconds("NaN").is_err() && seconds("soon").is_err());
    }
}
