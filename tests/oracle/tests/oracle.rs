//! The gate: the programs that once failed, and a fixed number of random ones.

use std::fs;
use std::path::Path;

use vmmc_oracle::{Program, Theatre, Verdict, hunt, replay};
use vmmc_tests::{Ends, Stage};

/// The random programs of the gate.
const FIRST_SEED: u64 = 1;
const SEEDS: u64 = 240;
/// So many in a hundred of them must really have used VMMC: a run that is right because nothing was accelerated proves nothing.
const ACCELERATED_LEAST: usize = 50;
/// So many in a hundred may have no end on the kernel.
const DISCARDED_MOST: usize = 15;
/// Each program that once failed is run so often.
const TIMES: usize = 3;
const TIMES_AGAIN: usize = 4;

#[test]
fn what_once_failed_does_not_fail_again() {
    let stage = Stage::new("oracle", Ends::Both, None);
    let theatre = Theatre::new(&stage);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut files: Vec<_> = fs::read_dir(directory).expect("the corpus").flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus is empty");
    let mut failures = String::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a program");
        let program = Program::parse(&text).expect("a program");
        match replay(&theatre, &program, TIMES) {
            Verdict::Agrees(_) => {}
            Verdict::NoProgram => failures.push_str(&format!("{}: has no end on the kernel\n", file.display())),
            Verdict::Differs(shown) => {
                println!("{} differs:\n{shown}", file.display());
                // As with random programs: what does not come again was a loaded machine's.
                if let Verdict::Differs(shown) = replay(&theatre, &program, TIMES_AGAIN) {
                    failures.push_str(&format!("{}:\n{shown}\n", file.display()));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn random_programs_see_the_same_on_both_roads() {
    let stage = Stage::new("oracle", Ends::Both, None);
    let theatre = Theatre::new(&stage);
    let tally = hunt(&theatre, FIRST_SEED, SEEDS, None);
    println!(
        "{} agreed, {} of them over VMMC; {} had no end on the kernel; {:?} differed once",
        tally.agreed, tally.accelerated, tally.discarded, tally.passing
    );
    let failures: Vec<String> = tally
        .failures
        .iter()
        .map(|failure| format!("seed {}:\n{}\n{}", failure.seed, failure.program, failure.shown))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(tally.accelerated * 100 >= tally.agreed * ACCELERATED_LEAST, "few programs used VMMC: {tally:?}");
    assert!(tally.discarded * 100 <= SEEDS as usize * DISCARDED_MOST, "the kernel stops too many programs: {tally:?}");
}
