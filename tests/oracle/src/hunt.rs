//! Many seeds, several at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::scope;
use std::time::Instant;

use crate::generate::generate;
use crate::judge::{FULL, Verdict, judge};
use crate::program::Program;
use crate::run::Theatre;
use crate::shrink::shrink;

/// Programs that run at a time: they sleep more than they work.
const AT_A_TIME: usize = 3;

/// A program that differed once is judged so often again, and has to differ so often then: what a loaded machine delays once is
/// told and is no failure.
const JUDGED_AGAIN: usize = 4;
const DIFFERS_AGAIN: usize = 1;

/// A program whose runs differ.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that it was made from.
    pub seed: u64,
    /// The program, made small.
    pub program: Program,
    /// The lines that differ.
    pub shown: String,
}

/// What became of many programs.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Programs that agreed.
    pub agreed: usize,
    /// Those among them whose data went past the kernel.
    pub accelerated: usize,
    /// Programs that have no end on the kernel.
    pub discarded: usize,
    /// Programs that differed once and not again.
    pub passing: Vec<u64>,
    /// Programs that differed.
    pub failures: Vec<Failure>,
}

/// Judges the programs of the seeds from `first` on, until there were `most` of them or `until` has come.
///
/// # Panics
///
/// If a worker does.
#[must_use]
pub fn hunt(theatre: &Theatre, first: u64, most: u64, until: Option<Instant>) -> Tally {
    let next = AtomicU64::new(first);
    let full = AtomicBool::new(false);
    let tally = Mutex::new(Tally::default());
    scope(|workers| {
        for _ in 0..AT_A_TIME {
            workers.spawn(|| {
                while !full.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first.saturating_add(most) {
                        break;
                    }
                    one(theatre, seed, &tally, &full);
                }
            });
        }
    });
    tally.into_inner().expect("no worker has panicked")
}

/// Failures after which a hunt has found enough.
const FAILURES_MOST: usize = 8;

fn one(theatre: &Theatre, seed: u64, tally: &Mutex<Tally>, full: &AtomicBool) {
    let program = generate(seed);
    let verdict = judge(theatre, &program, FULL);
    let mut failure = None;
    if let Verdict::Differs(shown) = &verdict {
        println!("seed {seed} differs:\n{shown}");
        if differs_again(theatre, &program) {
            let (program, shown) = shrink(theatre, &program, shown);
            println!("seed {seed}, made small:\n{program}# {}", shown.trim_end().replace('\n', "\n# "));
            failure = Some(Failure { seed, program, shown });
        } else {
            println!("seed {seed} did not differ again");
        }
    }
    let mut tally = tally.lock().expect("no worker has panicked");
    match verdict {
        Verdict::Agrees(by_ring) => {
            tally.agreed += 1;
            tally.accelerated += usize::from(by_ring > 0);
        }
        Verdict::NoProgram => tally.discarded += 1,
        Verdict::Differs(_) if failure.is_none() => tally.passing.push(seed),
        Verdict::Differs(_) => tally.failures.extend(failure),
    }
    full.fetch_or(tally.failures.len() >= FAILURES_MOST, Ordering::Relaxed);
}

fn differs_again(theatre: &Theatre, program: &Program) -> bool {
    let again = (0..JUDGED_AGAIN).filter(|_| matches!(judge(theatre, program, FULL), Verdict::Differs(_)));
    again.take(DIFFERS_AGAIN).count() == DIFFERS_AGAIN
}

/// Judges one program so many times; says the first difference.
#[must_use]
pub fn replay(theatre: &Theatre, program: &Program, times: usize) -> Verdict {
    let mut last = Verdict::NoProgram;
    for _ in 0..times {
        last = judge(theatre, program, FULL);
        if !matches!(last, Verdict::Agrees(_)) {
            break;
        }
    }
    last
}
