//! How far it has come, on standard error: a bar on a terminal, otherwise a line per step.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Where the reader sees what goes on.
#[derive(Debug)]
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines { done: usize, total: usize },
}

const STYLE: &str = "{bar:30} {pos}/{len}  {elapsed} of about {duration}  {wide_msg}";

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        if !stderr().is_terminal() {
            return Self::Lines { done: 0, total };
        }
        let bar = ProgressBar::new(total as u64);
        bar.set_style(ProgressStyle::with_template(STYLE).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self::Bar(bar)
    }

    /// `what` begins.
    pub(crate) fn begin(&self, what: String) {
        if let Self::Bar(bar) = self {
            bar.set_message(what);
        }
    }

    /// `what` has come out as `result`.
    pub(crate) fn end(&mut self, what: &str, result: &str) {
        match self {
            Self::Bar(bar) => bar.inc(1),
            Self::Lines { done, total } => {
                *done += 1;
                eprintln!("{done}/{total}  {what}: {result}");
            }
        }
    }

    pub(crate) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
