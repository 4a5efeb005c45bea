//! The command line: what clap makes of it, and how a mistake in it is told in one line.

use crate::failure::Failure;

use crate::{bench, broker, completions, doctor, man, run, selftest, status};
use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;

/// Run unmodified programs' TCP connections at user level
#[derive(Debug, Parser)]
#[command(name = "vmmc", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(long_about = "\
Run unmodified programs' TCP connections at user level.

A program that `vmmc run` starts keeps its kernel sockets. When both ends of a connection on this host run under \
vmmc, the data moves over memory (VMMC) instead of through the kernel: round trips take a fraction of a microsecond. \
Whatever cannot be accelerated works exactly as before, on the kernel's TCP, and `vmmc status` says why.")]
#[command(after_help = "\
Examples:
  vmmc run -- redis-server                 start a server over VMMC
  vmmc run -- redis-benchmark -t get,set   and a client: their connections now move over memory
  vmmc status                              see which road each connection is on, and why
  vmmc doctor                              see whether this machine is fit, and what to do if not
  vmmc bench pingpong                      measure this machine

Every subcommand explains itself: `vmmc run --help`.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Options),
    Status(status::Options),
    #[command(about = "Measure: sockets over the kernel and over VMMC, side by side", long_about = None)]
    Bench(bench::Options),
    Doctor(doctor::Options),
    Broker(broker::Options),
    Completions(completions::Options),
    Man(man::Options),
    #[command(skip)]
    Internal(Internal),
}

/// What vmmc orders itself to be. Apart from the subcommands, so that no help, manual or completion names it.
#[derive(Debug, Parser)]
#[command(name = "vmmc")]
pub(crate) enum Internal {
    SelftestPeer(selftest::Options),
    #[command(name = bench::WORKER)]
    BenchWorker(bench::Worker),
}

/// Reads this process's command line. A request for help or the version is answered here: the failure's code is then 0.
pub(crate) fn parse() -> Result<Command, Failure> {
    parse_from(std::env::args_os())
}

fn parse_from(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = if names_subcommand_of::<Internal>(&arguments) {
        Internal::try_parse_from(&arguments).map(Command::Internal)
    } else {
        Arguments::try_parse_from(&arguments).map(|parsed| parsed.command)
    };
    parsed.map_err(|error| explain(&error, &arguments))
}

/// Prints help where help was asked for (or nothing at all was); makes one line of everything else.
fn explain(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if is_help || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nobody is left to be told if printing fails.
        let _ = error.print();
        return Failure::of_start(if is_help { 0 } else { 2 }, "");
    }
    Failure::of_input(format!("{} (try `{} --help`)", one_sentence(error), place(arguments)))
}

/// The mistake without clap's layout: its first paragraph, and the tip if there is one.
fn one_sentence(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let mut paragraphs = rendered.split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
    let first = paragraphs.next().unwrap_or_default();
    let mut sentence = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
    if let Some(similar) = error.get(ContextKind::SuggestedArg).or_else(|| error.get(ContextKind::SuggestedSubcommand))
    {
        sentence.push_str(&format!("; did you mean {similar}?"));
    }
    sentence
}

/// `vmmc`, or `vmmc SUBCOMMAND` if the first argument is one.
fn place(arguments: &[OsString]) -> String {
    match arguments.get(1) {
        Some(name) if names_subcommand_of::<Arguments>(arguments) => format!("vmmc {}", name.display()),
        _ => "vmmc".to_owned(),
    }
}

fn names_subcommand_of<Definition: CommandFactory>(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|name| Definition::command().find_subcommand(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Command, Failure> {
        parse_from(words.iter().map(OsString::from))
    }

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_visible_subcommand_teaches() {
        for subcommand in Arguments::command().get_subcommands() {
            assert!(subcommand.get_about().is_some(), "{}", subcommand.get_name());
        }
    }

    #[test]
    fn a_commands_own_arguments_are_kept_verbatim() {
        for words in [
            &["vmmc", "run", "--", "a", "--profile", "x", "--", "-y"][..],
            &["vmmc", "run", "a", "--profile", "x", "--", "-y"],
        ] {
            let Ok(Command::Run(options)) = parse_words(words) else { panic!("{words:?} was refused") };
            assert_eq!(options.command, ["a", "--profile", "x", "--", "-y"]);
        }
    }
}
