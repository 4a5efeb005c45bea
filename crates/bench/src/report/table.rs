//! The tables on the terminal.

use std::fmt::Write;

use super::paper::{Overhead, overheads};
use super::{Target, show};
use crate::machine::{Machine, OTHERS_MAX};
use crate::model::{Results, Road, Series, Unit};

/// Below this share of the data through memory, a line says so.
const THROUGH_MEMORY_MIN: f64 = 0.75;

/// Everything as text.
pub(crate) fn text(machine: &Machine, results: &Results, targets: &[Target]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut out, machine, results, targets);
    out
}

fn write_all(out: &mut String, machine: &Machine, results: &Results, targets: &[Target]) -> std::fmt::Result {
    let Machine { processor, processors, kernel, date, others } = machine;
    writeln!(out, "{processor}, {processors} processors, {kernel}, {date}")?;
    if let Some(others) = others.filter(|others| *others > OTHERS_MAX) {
        writeln!(
            out,
            "Other programs kept {others:.2} processors busy meanwhile: these numbers are not a quiet machine's."
        )?;
    }
    if *processors < 2 {
        writeln!(out, "Only one processor: the two ends take turns on it, and these numbers say little.")?;
    }
    if cfg!(debug_assertions) {
        writeln!(out, "This is a debug build: the floors and VMMC are much slower than they are.")?;
    }
    let mut test = None;
    let mut size = usize::MAX;
    for series in results.sorted() {
        if test.replace(series.case.test) != Some(series.case.test) {
            heading(out, series)?;
            size = usize::MAX;
        }
        let shown = if size == series.case.size || series.case.size == 0 {
            String::new()
        } else {
            show::size(series.case.size)
        };
        size = series.case.size;
        line(out, &shown, series, results)?;
    }
    for overhead in overheads(results) {
        write_overhead(out, &overhead)?;
    }
    write_targets(out, targets)
}

fn heading(out: &mut String, series: &Series) -> std::fmt::Result {
    let case = series.case;
    let p99 = if case.test.unit() == Unit::Nanoseconds { "p99" } else { "" };
    let against = if case.test.against_kernel() { "vs kernel" } else { "" };
    writeln!(out, "\n{}", case.test.title())?;
    writeln!(out, "  {:>8}  {:<26}{:>11}{p99:>11}{against:>12}{:>12}", "", "", "median", "processors")
}

fn line(out: &mut String, size: &str, series: &Series, results: &Results) -> std::fmt::Result {
    let road = series.case.road;
    write!(out, "  {size:>8}  {:<26}", road.title())?;
    if let Some(median) = series.median {
        let p99 = series.median_p99_ns.filter(|_| series.unit == Unit::Nanoseconds);
        let p99 = p99.map(show::nanoseconds).unwrap_or_default();
        let compared = road != plain(road) && series.case.test.against_kernel();
        let better = if compared { results.better(series.case, plain(road)) } else { None };
        let better = better.map(show::ratio).unwrap_or_default();
        let processors = series.median_processors.map(|cores| format!("{cores:.2}")).unwrap_or_default();
        write!(out, "{:>11}{p99:>11}{better:>12}{processors:>12}", show::value(median, series.unit))?;
    }
    if let Some(why) = &series.failed {
        write!(out, "  failed: {why}")?;
    }
    match series.median_through_memory {
        Some(share) if road.accelerated() && share < THROUGH_MEMORY_MIN => {
            write!(out, "  (only {:.0} % of the data went through memory)", share * 100.0)?;
        }
        _ => (),
    }
    out.truncate(out.trim_end().len());
    writeln!(out)
}

/// The system's own sockets where the road is.
fn plain(road: Road) -> Road {
    if road.under_wine() { Road::Wine } else { Road::Kernel }
}

fn write_overhead(out: &mut String, overhead: &Overhead) -> std::fmt::Result {
    let shown = |value: Option<f64>| value.map_or_else(|| "not measured".to_owned(), show::ratio);
    let title = format!("sockets over raw VMMC, {}", overhead.face);
    writeln!(out, "\n{title:<30}{:>12}{:>14}{:>17}", "here", "target", "USENIX NT 1999")?;
    let (here, most, paper) = (shown(overhead.latency), overhead.latency_target, overhead.latency_paper);
    writeln!(out, "  {:<28}{here:>12}{:>9} {most:.2} x{paper:>15.2} x", "latency, 8 B", "<=")?;
    let (here, least, paper) = (shown(overhead.bandwidth), overhead.bandwidth_target, overhead.bandwidth_paper);
    let what = format!("bandwidth, {}", show::size(overhead.bandwidth_size));
    writeln!(out, "  {what:<28}{here:>12}{:>9} {least:.2} x{paper:>15.2} x", ">=")
}

fn write_targets(out: &mut String, targets: &[Target]) -> std::fmt::Result {
    writeln!(out, "\n{:<56}{:>14}{:>15}  reached?", "targets", "target", "here")?;
    for target in targets {
        let met = target.met.map_or("", |met| if met { "yes" } else { "no" });
        let line = format!("  {:<54}{:>14}{:>15}  {met}", target.what, target.target, target.reached);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Case, Sample, Test};
    use crate::report::targets;

    #[test]
    fn a_line_shows_the_ratio_and_why_a_step_failed() {
        let mut results = Results::default();
        let case = |road| Case { test: Test::PingPong, size: 8, road };
        results.series(case(Road::Kernel)).add(0, Sample { value: 70_000.0, ..Sample::default() });
        let through_memory = Some(0.25);
        results.series(case(Road::Vmmc)).add(0, Sample { value: 350.0, through_memory, ..Sample::default() });
        results.series(case(Road::Raw)).failed = Some("no memory".to_owned());
        let text = text(&Machine::look(), &results, &targets(&results));
        let line = |word: &str| text.lines().find(|line| line.contains(word)).expect("a line").to_owned();
        assert!(line("VMMC sockets").contains("350 ns") && line("VMMC sockets").contains("200 x"));
        assert!(line("VMMC sockets").contains("only 25 % of the data"));
        assert!(line("raw VMMC").ends_with("failed: no memory"));
        assert!(line("blocking").ends_with("yes"));
    }
}
