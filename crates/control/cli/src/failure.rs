//! How a subcommand fails: one line on the standard error, and an exit code.

use std::io::Write as _;

/// Something that ends the command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    line: String,
}

impl Failure {
    /// What was asked for did not work: exit code 1.
    pub(crate) fn of_work(line: impl Into<String>) -> Self {
        Self { code: 1, line: line.into() }
    }

    /// What was asked for makes no sense, or `--strict` forbids it: exit code 2.
    pub(crate) fn of_input(line: impl Into<String>) -> Self {
        Self { code: 2, line: line.into() }
    }

    /// A command cannot be started, with the exit code that shells give: 126 found but not runnable, 127 not found.
    pub(crate) fn of_start(code: u8, line: impl Into<String>) -> Self {
        Self { code, line: line.into() }
    }

    /// Prints the line; returns the exit code. An empty line prints nothing.
    pub(crate) fn report(&self) -> u8 {
        if !self.line.is_empty() {
            complain(&self.line);
        }
        self.code
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::of_work(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::of_work(format!("{error:#}"))
    }
}

/// Prints one line on the standard error. Nobody is left to be told if that fails.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "vmmc: {}", crate::text::one_line(line));
}
