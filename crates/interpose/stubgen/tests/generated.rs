//! The files that our own wrapper is built from are what `stubgen` writes today.

mod support;

use std::fs;

use vmmc_stubgen::plan::{Fate, Plan, Wishes};
use vmmc_stubgen::prototypes::Headers;
use vmmc_stubgen::write;

fn wsock32() -> Plan {
    let wishes = Wishes::read(&support::own("../wsock32/intercept.toml")).unwrap();
    let headers = Headers { names: wishes.headers.clone(), directories: Vec::new() };
    Plan::read("wsock32.dll", &support::wsock32_table(), &wishes, headers).unwrap()
}

#[test]
fn the_files_of_wsock32_are_up_to_date() {
    for (name, text) in write::texts(&wsock32()) {
        let there = fs::read_to_string(support::own("../wsock32/generated").join(name)).unwrap();
        // The two are long; the first line that differs says enough.
        let differs = there.lines().zip(text.lines()).find(|(there, now)| there != now);
        assert_eq!(differs, None, "{name} is old: run the command at the top of intercept.toml");
        assert!(there == text, "{name} is old: run the command at the top of intercept.toml");
    }
}

#[test]
fn every_socket_call_that_a_program_makes_through_wsock32_is_checked_against_its_declaration() {
    let plan = wsock32();
    let intercepted: Vec<_> = plan.entries.iter().filter(|entry| entry.fate == Fate::Intercept).collect();
    assert!(intercepted.len() > 10);
    for entry in intercepted {
        let parameters = entry.prototype.as_ref().and_then(|prototype| prototype.parameters);
        assert!(parameters.is_some() && entry.stack_bytes().is_some(), "{}", entry.export.label());
    }
}
