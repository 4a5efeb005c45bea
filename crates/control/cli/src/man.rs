//! `vmmc man`: the manual, made from the same definition as the help.

use crate::arguments::Arguments;
use crate::failure::Failure;
use clap::CommandFactory as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmmc man | man -l -                       read it
  vmmc man --output ~/.local/share/man/man1 install it: vmmc(1), vmmc-run(1), vmmc-status(1), ...")]
pub(crate) struct Options {
    /// Write one page per subcommand into this directory
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    let command = Arguments::command();
    match options.output {
        Some(directory) => clap_mangen::generate_to(command, &directory)
            .map_err(|error| Failure::of_work(format!("{}: {error}", directory.display())))?,
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            std::io::stdout().write_all(&page)?;
        }
    }
    Ok(0)
}
