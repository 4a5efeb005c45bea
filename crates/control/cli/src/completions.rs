//! `vmmc completions`: what a shell needs to complete `vmmc` command lines.

use crate::arguments::Arguments;
use crate::failure::Failure;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::Write as _;
use std::path::PathBuf;

/// Print a shell's completions for vmmc
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmmc completions bash > ~/.local/share/bash-completion/completions/vmmc
  vmmc completions zsh --output ~/.zfunc
  vmmc completions fish --output ~/.config/fish/completions")]
pub(crate) struct Options {
    /// The shell
    shell: Shell,
    /// Write the file, under the name that the shell expects, into this directory
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(crate) fn run(options: Options) -> Result<u8, Failure> {
    let mut command = Arguments::command();
    match options.output {
        Some(directory) => {
            let written = clap_complete::generate_to(options.shell, &mut command, "vmmc", &directory)
                .map_err(|error| Failure::of_work(format!("{}: {error}", directory.display())))?;
            writeln!(std::io::stdout(), "{}", written.display())?;
        }
        None => {
            let mut text = Vec::new();
            clap_complete::generate(options.shell, &mut command, "vmmc", &mut text);
            std::io::stdout().write_all(&text)?;
        }
    }
    Ok(0)
}
