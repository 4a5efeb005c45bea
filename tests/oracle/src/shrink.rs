//! Makes a failing program smaller while it still fails: fewer steps, smaller sizes, fewer flags.

use std::time::{Duration, Instant};

use crate::judge::{FULL, LIGHT, Verdict, judge};
use crate::program::Program;
use crate::run::Theatre;

/// A failure that needs luck is tried so often before a smaller program counts as good; one that does not, once.
const TRIES: usize = 4;
/// How long one failure may be worked on.
const LIMIT: Duration = Duration::from_secs(90);

/// The smallest failing program that was found in time, and what it shows.
#[must_use]
pub fn shrink(theatre: &Theatre, failing: &Program, shown: &str) -> (Program, String) {
    let fails = || matches!(judge(theatre, failing, FULL), Verdict::Differs(_));
    let tries = if (0..3).all(|_| fails()) { 1 } else { TRIES };
    let until = Instant::now() + LIMIT;
    let mut shrinker = Shrinker { theatre, best: failing.clone(), shown: shown.to_owned(), tries, until };
    while shrinker.has_time() && (shrinker.drop_steps() | shrinker.simplify_words()) {}
    (shrinker.best, shrinker.shown)
}

struct Shrinker<'a> {
    theatre: &'a Theatre,
    best: Program,
    shown: String,
    tries: usize,
    until: Instant,
}

impl Shrinker<'_> {
    fn has_time(&self) -> bool {
        Instant::now() < self.until
    }

    /// Keeps the candidate if it fails, too.
    fn try_out(&mut self, candidate: Program) -> bool {
        for _ in 0..self.tries {
            if !self.has_time() {
                return false;
            }
            match judge(self.theatre, &candidate, LIGHT) {
                Verdict::Differs(shown) => {
                    self.best = candidate;
                    self.shown = shown;
                    return true;
                }
                Verdict::NoProgram => return false,
                Verdict::Agrees(_) => {}
            }
        }
        false
    }

    /// Leaves out runs of steps, long ones first.
    fn drop_steps(&mut self) -> bool {
        let mut better = false;
        let mut run = self.best.steps.len().div_ceil(2);
        while run > 0 {
            let mut end = self.best.steps.len();
            while end > 0 {
                let start = end.saturating_sub(run);
                let mut candidate = self.best.clone();
                candidate.steps.drain(start..end.min(self.best.steps.len()));
                better |= self.try_out(candidate);
                end = start.min(self.best.steps.len());
            }
            run /= 2;
        }
        better
    }

    /// Each word of each step becomes simpler, if it can.
    fn simplify_words(&mut self) -> bool {
        let mut better = false;
        let places: Vec<(usize, usize)> = (0..self.best.steps.len())
            .flat_map(|step| (1..self.best.steps[step].words.len()).map(move |word| (step, word)))
            .collect();
        for (step, word) in places {
            for simpler in simpler(&self.best.steps[step].words[word]) {
                let mut candidate = self.best.clone();
                candidate.steps[step].words[word] = simpler;
                if self.try_out(candidate) {
                    better = true;
                    break;
                }
            }
        }
        better
    }
}

/// Simpler words than this one, the simplest first: fewer bytes, fewer times, fewer flags.
fn simpler(word: &str) -> Vec<String> {
    if let Some((unit, number)) =
        ["b", "x"].iter().find_map(|unit| Some((unit, word.strip_suffix(unit)?.parse::<u64>().ok()?)))
    {
        let smaller = [1, number / 10, number / 2].into_iter().filter(|smaller| *smaller > 0 && *smaller < number);
        return smaller.map(|smaller| format!("{smaller}{unit}")).collect();
    }
    let names: Vec<&str> = word.split('|').collect();
    let without = |left_out: usize| {
        let kept: Vec<&str> = (0..names.len()).filter(|at| *at != left_out).map(|at| names[at]).collect();
        kept.join("|")
    };
    if names.len() > 1 { (0..names.len()).map(without).collect() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_flags_become_simpler_and_descriptors_do_not() {
        assert_eq!(simpler("100b"), ["1b", "10b", "50b"]);
        assert_eq!(simpler("IN|OUT"), ["OUT", "IN"]);
        assert!(simpler("s3").is_empty() && simpler("1b").is_empty());
    }
}
