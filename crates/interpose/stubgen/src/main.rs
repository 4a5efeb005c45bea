//! The command `stubgen`: reads arguments, calls the library, and says what came out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};

use vmmc_stubgen::compare::{self, Forwarders};
use vmmc_stubgen::plan::{Plan, Wishes};
use vmmc_stubgen::prototypes::Headers;
use vmmc_stubgen::{exports, write};

/// Writes wrappers of Windows DLLs: every export of the original, under its own name and ordinal.
///
/// ORIGINAL is a DLL, 32- or 64-bit, or a table of exports (a file that ends in .csv).
#[derive(Debug, Parser)]
#[command(name = "stubgen", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the exports of a DLL: ordinal, name, forwarder.
    List {
        /// A DLL or a table.
        original: PathBuf,
    },
    /// Write exports.def, table.rs and stubs.rs of a wrapper, and say what no header knows.
    Generate {
        #[command(flatten)]
        wrapper: Wrapper,
        /// The directory to write to.
        #[arg(short, long, value_name = "DIRECTORY")]
        output: PathBuf,
        /// Write a whole package that cargo builds; the sources go to its src.
        #[arg(long)]
        package: bool,
    },
    /// Compare the exports of a built wrapper with the original's; end with 1 if they differ.
    Check {
        #[command(flatten)]
        wrapper: Wrapper,
        /// The DLL that was built.
        built: PathBuf,
    },
}

/// What is wrapped, and how.
#[derive(Args, Debug)]
struct Wrapper {
    /// The DLL that is wrapped, or a table of its exports.
    original: PathBuf,
    /// The wishes: what to intercept and where the rest goes, in TOML. Without it, everything is passed on.
    #[arg(long, value_name = "FILE")]
    wishes: Option<PathBuf>,
    /// The file name of the wrapper, if it is not that of ORIGINAL.
    #[arg(long, value_name = "NAME")]
    library: Option<String>,
    /// A header to look for prototypes in, besides those of the wishes; windows.h if there is none.
    #[arg(long = "header", value_name = "NAME")]
    headers: Vec<String>,
    /// A directory to look for headers in, before the system's.
    #[arg(short = 'I', long = "include", value_name = "DIRECTORY")]
    directories: Vec<PathBuf>,
}

impl Wrapper {
    fn wishes(&self) -> Result<Wishes> {
        let mut wishes = self.wishes.as_deref().map_or_else(|| Ok(Wishes::default()), Wishes::read)?;
        wishes.headers.extend(self.headers.iter().cloned());
        Ok(wishes)
    }

    fn plan(&self) -> Result<Plan> {
        let wishes = self.wishes()?;
        let headers = Headers { names: wishes.headers.clone(), directories: self.directories.clone() };
        Plan::read(&self.library()?, &self.original, &wishes, headers)
    }

    fn library(&self) -> Result<String> {
        let of_original = || Some(self.original.with_extension("dll").file_name()?.to_str()?.to_owned());
        self.library.clone().or_else(of_original).context("the original has no file name; give one by --library")
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("stubgen: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::List { original } => list(original),
        Command::Generate { wrapper, output, package } => generate(wrapper, output, *package),
        Command::Check { wrapper, built } => check(wrapper, built),
    }
}

fn list(original: &Path) -> Result<ExitCode> {
    for export in exports::read(original)? {
        let name = export.name.as_deref().unwrap_or("NONAME");
        let kind = if export.data { " (data)" } else { "" };
        let target = export.forward.map(|target| format!(" = {target}")).unwrap_or_default();
        println!("{:>5} {name}{target}{kind}", export.ordinal);
    }
    Ok(ExitCode::SUCCESS)
}

fn generate(wrapper: &Wrapper, output: &Path, package: bool) -> Result<ExitCode> {
    let plan = wrapper.plan()?;
    if package { write::package(&plan, output) } else { write::sources(&plan, output) }?;
    println!("{}: {}", plan.library, plan.summary());
    let unknown = plan.without_prototype();
    if !unknown.is_empty() {
        println!("no prototype found for {}: {}", unknown.len(), unknown.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

fn check(wrapper: &Wrapper, built: &Path) -> Result<ExitCode> {
    let original = exports::read(&wrapper.original)?;
    // Only who knows the wishes knows what the loader has to find elsewhere.
    let (expected, forwarders) = match wrapper.wishes {
        None => (original, Forwarders::Ignore),
        Some(_) => {
            let plan = Plan::new(&wrapper.library()?, original, &wrapper.wishes()?)?;
            (plan.exports(), Forwarders::Compare)
        }
    };
    let differences = compare::differences(&expected, &exports::read(built)?, forwarders);
    for difference in &differences {
        println!("{difference}");
    }
    println!("exports expected: {}, differences: {}", expected.len(), differences.len());
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
