//! Whether the two runs of a program agree.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::program::Program;
use crate::run::{Outcome, Theatre};

/// How much is done for a verdict.
#[derive(Clone, Copy, Debug)]
pub struct Care {
    /// The kernel is asked so often before what it says counts.
    first: usize,
    /// It is asked so often more before a difference counts.
    again: usize,
    /// When the kernel's run is stuck.
    patience: Duration,
}

/// For a verdict that is reported.
pub const FULL: Care = Care { first: 2, again: 5, patience: Duration::from_secs(3) };
/// For one on the way to a smaller program.
pub const LIGHT: Care = Care { first: 1, again: 3, patience: Duration::from_millis(800) };

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both runs are the same; so many bytes went past the kernel.
    Agrees(u64),
    /// It has no end on the kernel: nothing can be said.
    NoProgram,
    /// They differ, in these lines.
    Differs(String),
}

/// Runs a program and compares. Lines in which the kernel contradicts itself do not count.
#[must_use]
pub fn judge(theatre: &Theatre, program: &Program, care: Care) -> Verdict {
    let mut kernel = Vec::new();
    if !ask(theatre, program, &mut kernel, care.first, care.patience) {
        return Verdict::NoProgram;
    }
    let vmmc = theatre.accelerated(program);
    if difference(&kernel, &vmmc).is_none() {
        return Verdict::Agrees(vmmc.by_ring);
    }
    if !ask(theatre, program, &mut kernel, care.again, care.patience) {
        return Verdict::NoProgram;
    }
    difference(&kernel, &vmmc).map_or(Verdict::Agrees(vmmc.by_ring), Verdict::Differs)
}

fn ask(theatre: &Theatre, program: &Program, kernel: &mut Vec<Outcome>, times: usize, patience: Duration) -> bool {
    kernel.extend((0..times).map(|_| theatre.plainly(program, patience)));
    kernel.iter().all(|outcome| outcome.ended)
}

/// The first lines in which a run differs from the kernel's, as they are shown; none if it does not.
fn difference(kernel: &[Outcome], vmmc: &Outcome) -> Option<String> {
    let model = kernel.first()?;
    let undecided: BTreeSet<usize> = (0..model.lines.len())
        .filter(|at| kernel.iter().any(|other| other.lines.get(*at) != model.lines.get(*at)))
        .collect();
    let length = model.lines.len().max(vmmc.lines.len());
    let differs = |at: &usize| !undecided.contains(at) && model.lines.get(*at) != vmmc.lines.get(*at);
    let lines: Vec<String> = (0..length)
        .filter(differs)
        .take(6)
        .map(|at| {
            let line = |outcome: &Outcome| outcome.lines.get(at).cloned().unwrap_or_default();
            format!("kernel  {}\nvmmc    {}\n", line(model), line(vmmc))
        })
        .collect();
    let stuck = if vmmc.ended { "" } else { "it is STUCK, or was killed\n" };
    (!lines.is_empty() || !vmmc.ended).then(|| format!("{}{stuck}", lines.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(lines: &[&str]) -> Outcome {
        Outcome { lines: lines.iter().map(ToString::to_string).collect(), ended: true, by_ring: 0 }
    }

    #[test]
    fn a_line_that_differs_is_found_unless_the_kernel_contradicts_itself_there() {
        let kernel = [outcome(&["a = 1", "b = 2"]), outcome(&["a = 1", "b = 3"])];
        assert!(difference(&kernel, &outcome(&["a = 1", "b = 4"])).is_none());
        assert!(difference(&kernel, &outcome(&["a = 0", "b = 2"])).is_some());
        assert!(difference(&kernel, &Outcome { ended: false, ..outcome(&["a = 1", "b = 2"]) }).is_some());
    }
}
