//! `vmmc run`: runs the command with the library in it and a broker within reach.

use crate::failure::{Failure, complain};
use crate::system::launch;
use std::ffi::OsString;
use vmmc_protocol::settings;

pub(crate) use launch::run;

/// Longest spin that may be asked for: a second.
const SPIN_MICROSECONDS_MAX: u32 = 1_000_000;

/// Run a command; its TCP connections on this host move over VMMC
#[derive(Debug, clap::Args)]
#[command(override_usage = "vmmc run [OPTIONS] [--] COMMAND [ARGUMENT]...")]
#[command(long_about = launch::LONG_ABOUT)]
#[command(after_help = launch::AFTER_HELP)]
pub(crate) struct Options {
    /// What to favour: `safe` processor time, waiting briefly in user space; `latency` the shortest waits
    #[arg(long, value_enum, default_value_t = Profile::Safe, env = settings::PROFILE)]
    profile: Profile,
    /// How long a waiting call may look at memory before it sleeps in the kernel: auto, off, or microseconds
    #[arg(long, value_name = "auto|off|MICROSECONDS", default_value = "auto", value_parser = parse_spin, env = settings::SPIN)]
    spin: Spin,
    /// Fail loudly where a connection could be accelerated and is not (for tests)
    #[arg(long, env = settings::STRICT, value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    strict: bool,
    /// Print no warnings
    #[arg(long, short)]
    quiet: bool,
    /// The command and its arguments, kept as they are
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What to favour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Profile {
    Safe,
    Latency,
}

/// How long a waiting call looks at memory before it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spin {
    Auto,
    Off,
    Microseconds(u32),
}

fn parse_spin(text: &str) -> Result<Spin, String> {
    match text {
        "auto" => Ok(Spin::Auto),
        "off" => Ok(Spin::Off),
        number => match number.parse() {
            Ok(microseconds) if microseconds <= SPIN_MICROSECONDS_MAX => Ok(Spin::Microseconds(microseconds)),
            _ => Err(format!("it is `auto`, `off`, or microseconds from 0 to {SPIN_MICROSECONDS_MAX}")),
        },
    }
}

impl Options {
    /// A shortcoming that the command survives: a warning, or the end if the caller is strict.
    pub(crate) fn shortcoming(&self, line: &str) -> Result<(), Failure> {
        if self.strict {
            return Err(Failure::of_input(format!("{line} (--strict)")));
        }
        if !self.quiet {
            complain(&format!("warning: {line}"));
        }
        Ok(())
    }

    /// The settings as the library takes them from its environment.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let profile = if self.profile == Profile::Latency { "latency" } else { "safe" };
        let spin = match self.spin {
            Spin::Auto => "auto".to_owned(),
            Spin::Off => "off".to_owned(),
            Spin::Microseconds(microseconds) => microseconds.to_string(),
        };
        let mut settings = vec![(settings::PROFILE, profile.to_owned()), (settings::SPIN, spin)];
        if self.strict {
            settings.push((settings::STRICT, "1".to_owned()));
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spin_is_a_word_or_a_bounded_number() {
        assert_eq!(parse_spin("auto"), Ok(Spin::Auto));
        assert_eq!(parse_spin("off"), Ok(Spin::Off));
        assert_eq!(parse_spin("50"), Ok(Spin::Microseconds(50)));
        for wrong in ["", "on", "-1", "1.5", "1000001", "50us"] {
            assert!(parse_spin(wrong).is_err(), "{wrong}");
        }
    }
}
