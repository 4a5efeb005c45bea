//! Everything, for programs.

use anyhow::Result;
use serde_json::json;

use super::{Target, paper};
use crate::machine::Machine;
use crate::model::Results;
use crate::plan::Plan;

/// The layout of the file; changes when a reader would have to.
const SCHEMA: &str = "vmmc-bench/2";

/// The whole run as JSON. Units: nanoseconds, bytes, seconds, operations per second.
pub(crate) fn json(machine: &Machine, plan: &Plan, results: &Results, targets: &[Target]) -> Result<String> {
    let whole = json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "machine": machine,
        "command": std::env::args().collect::<Vec<_>>(),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "pinned_to": plan.cpus,
        "results": results.sorted(),
        "targets": targets,
        "sockets_over_raw_vmmc": paper::overheads(results),
    });
    Ok(serde_json::to_string_pretty(&whole)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Case, Road, Sample, Test};
    use crate::report::targets;

    #[test]
    fn the_file_has_the_promised_fields() {
        let mut results = Results::default();
        let case = Case { test: Test::PingPong, size: 8, road: Road::KernelBusy };
        results.series(case).add(0, Sample { value: 8000.0, ..Sample::default() });
        results.series(Case { road: Road::Vmmc, ..case }).failed = Some("unavailable".to_owned());
        let plan = Plan { steps: Vec::new(), rounds: 1, seconds: 0.1, cpus: None, wine: None };
        let text = json(&Machine::look(), &plan, &results, &targets(&results)).expect("JSON");
        let read: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
        assert_eq!(read["schema"], SCHEMA);
        for fact in ["processor", "processors", "kernel", "date"] {
            assert!(!read["machine"][fact].is_null(), "{fact}");
        }
        let first =
            read["results"].as_array().and_then(|all| all.iter().find(|one| one["road"] == "vmmc")).expect("vmmc");
        assert_eq!((&first["test"], &first["failed"]), (&"ping_pong".into(), &"unavailable".into()));
        let second = read["results"].as_array().and_then(|all| all.iter().find(|one| one["road"] == "kernel_busy"));
        let second = second.expect("kernel_busy");
        assert_eq!((&second["median"], &second["unit"]), (&8000.0.into(), &"nanoseconds".into()));
        assert!(read["targets"].as_array().is_some_and(|targets| targets.len() == 5));
    }
}
