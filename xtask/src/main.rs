//! What is done with this repository: set a machine up, show the thing off, test it.
//!
//! It contains no product code and no test of the product; it starts other programs and counts.
//! People and `.ci/run` call it as `cargo xtask …`. It stands on cargo, apt and the workspace's own binaries.

mod command;
mod demo;
mod fuzz;
mod gates;
mod machine;
mod suites;
mod tally;
mod tidy;
mod windows;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set the machine up, show VMMC Sockets off, test them.")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what demo and tests need (through apt when that is allowed, otherwise say what to type).
    Setup,
    /// Run an unmodified redis over kernel TCP and over VMMC, side by side.
    Demo,
    /// Run every gate, or only the ones named.
    Test {
        /// Gates to run; all of them if none is named.
        gates: Vec<String>,
        /// List the gates and exit.
        #[arg(long)]
        list: bool,
    },
    /// Build `wsock32.dll` and `vmmc.exe`, and say where they are.
    Windows {
        /// For 32-bit programs instead of 64-bit ones.
        #[arg(long)]
        i686: bool,
    },
    /// Check the rules of style that a machine can check (the gate `tidy` alone).
    Tidy,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does one task; `false` means that it ran and something it looked at was not right.
fn run(task: Task) -> Result<bool> {
    std::env::set_current_dir(command::root())?;
    match task {
        Task::Setup => machine::setup(machine::Scope::Everything).map(|()| true),
        Task::Demo => demo::run().map(|()| true),
        Task::Test { list: true, .. } => {
            gates::list();
            Ok(true)
        }
        Task::Test { gates, .. } => gates::run(&gates),
        Task::Windows { i686 } => {
            windows::run(if i686 { windows::Target::I686 } else { windows::Target::X86_64 }).map(|()| true)
        }
        Task::Tidy => gates::run(&["tidy".to_owned()]),
    }
}
