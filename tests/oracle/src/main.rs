//! `vmmc-oracle`: hunts for programs of socket calls that behave otherwise under `vmmc run` than by the kernel alone.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use vmmc_oracle::{Program, Theatre, Verdict, generate, hunt, replay};
use vmmc_tests::{Ends, Stage};

/// Runs random programs of socket calls on the kernel and under `vmmc run`, and shows where they differ.
///
/// It tests target/release/vmmc and libvmmc.so; VMMC_BIN names another `vmmc`, with its library beside it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Go on for so long.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Begin with this seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many seeds.
    #[arg(long, default_value_t = u64::MAX)]
    seeds: u64,
    /// Print the program of the seed and do nothing else.
    #[arg(long)]
    print: bool,
    /// Run this program (a file) and no random ones.
    #[arg(long)]
    program: Option<PathBuf>,
    /// How often to run that program.
    #[arg(long, default_value_t = 10)]
    times: usize,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.print {
        print!("{}", generate(arguments.seed));
        return Ok(ExitCode::SUCCESS);
    }
    let stage = Stage::new("oracle", Ends::Both, None);
    let theatre = Theatre::new(&stage);
    match &arguments.program {
        Some(file) => {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            one(&theatre, &Program::parse(&text)?, arguments.times)
        }
        None => many(&theatre, &arguments),
    }
}

fn one(theatre: &Theatre, program: &Program, times: usize) -> Result<ExitCode> {
    let verdict = replay(theatre, program, times);
    match &verdict {
        Verdict::Differs(shown) => println!("it differs:\n{shown}"),
        Verdict::NoProgram => println!(
            "it has no end on the kernel:\n{}",
            theatre.plainly(program, Duration::from_secs(3)).lines.join("\n")
        ),
        Verdict::Agrees(by_ring) => {
            println!(
                "{}\nit agrees; {by_ring} bytes went past the kernel",
                theatre.accelerated(program).lines.join("\n")
            );
        }
    }
    Ok(if matches!(verdict, Verdict::Agrees(_)) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn many(theatre: &Theatre, arguments: &Arguments) -> Result<ExitCode> {
    let until = Instant::now() + Duration::from_secs(arguments.minutes * 60);
    let tally = hunt(theatre, arguments.seed, arguments.seeds, Some(until));
    println!(
        "{} programs agreed, {} of them over VMMC; {} had no end on the kernel; {:?} differed once; {} differed (seeds {:?})",
        tally.agreed,
        tally.accelerated,
        tally.discarded,
        tally.passing,
        tally.failures.len(),
        tally.failures.iter().map(|failure| failure.seed).collect::<Vec<_>>()
    );
    Ok(if tally.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
