//! From the options to the tables: steps in rounds, one after another.

use std::fs;
use std::io::{Write, stdout};

use anyhow::{Context, Result, bail};

use crate::machine::{Machine, Others};
use crate::model::{Case, Results, Sample};
use crate::options::Options;
use crate::pair;
use crate::plan::{Plan, Step};
use crate::progress::Progress;
use crate::report::{self, show};
use crate::system::{apps, calls, machine};

/// Samples for the step's cases, in the cases' order, and what was started.
type Measurement = (Vec<Sample>, Vec<String>);

pub(crate) fn run(options: &Options) -> Result<()> {
    calls::survive_broken_pipes();
    let plan = Plan::new(options, if options.pin { machine::two_processors() } else { None });
    if plan.steps.is_empty() {
        bail!("this benchmark does not use the roads that were chosen, or is not for this system");
    }
    if options.pin && plan.cpus.is_none() {
        bail!("--pin needs two processors");
    }
    let (mut machine, others) = (Machine::look(), Others::watch());
    let results = measure(&plan);
    machine.others = others.processors();
    let targets = report::targets(&results);
    stdout().write_all(report::text(&machine, &results, &targets).as_bytes())?;
    if let Some(path) = &options.json {
        let json = report::json(&machine, &plan, &results, &targets)?;
        fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &options.plot {
        let svg = report::plot(&machine, &results)?;
        fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let missed = targets.iter().filter(|target| target.met != Some(true)).count();
    if options.check && missed > 0 {
        bail!("{missed} of {} targets were not reached", targets.len());
    }
    Ok(())
}

fn measure(plan: &Plan) -> Results {
    let mut results = Results::default();
    let turns = (0..plan.rounds).flat_map(|round| plan.steps.iter().map(move |step| (round, *step)));
    let turns: Vec<(usize, Step)> = turns.filter(|(round, step)| *round < step.rounds_max()).collect();
    let mut progress = Progress::new(turns.len());
    for (round, step) in turns {
        let cases = step.cases();
        let label = label(step);
        progress.begin(label.clone());
        let outcome = if cases.iter().any(|case| results.series(*case).failed.is_some()) {
            "skipped, it failed before".to_owned()
        } else {
            record(&mut results, &cases, round, perform(step, plan))
        };
        progress.end(&label, &outcome);
    }
    progress.finish();
    results
}

fn perform(step: Step, plan: &Plan) -> Result<Measurement> {
    match step {
        Step::Pair(case) => pair::measure(case, plan).map(|(sample, commands)| (vec![sample], commands)),
        Step::Idle(road) => pair::idle(road, plan).map(|(samples, commands)| (samples.to_vec(), commands)),
        Step::Redis(road) => apps::redis(road, plan),
        Step::Nginx(road) => apps::nginx(road, plan),
    }
}

/// Keeps what came out, and says it in short.
fn record(results: &mut Results, cases: &[Case], round: usize, measurement: Result<Measurement>) -> String {
    let mut outcome = Vec::new();
    match measurement {
        Ok((samples, commands)) => {
            for (case, sample) in cases.iter().zip(samples) {
                outcome.push(show::value(sample.value, case.test.unit()));
                let series = results.series(*case);
                series.commands.clone_from(&commands);
                series.add(round, sample);
            }
        }
        Err(error) => {
            let why = format!("{error:#}");
            for case in cases {
                results.series(*case).failed = Some(why.clone());
            }
            outcome.push(format!("failed: {why}"));
        }
    }
    outcome.join(", ")
}

fn label(step: Step) -> String {
    let titles: Vec<&str> = step.cases().iter().map(|case| case.test.title()).collect();
    match step {
        Step::Pair(case) => format!("{}, {}, {}", titles.join(" and "), show::size(case.size), case.road.title()),
        _ => format!("{}, {}", titles.join(" and "), step.road().title()),
    }
}
