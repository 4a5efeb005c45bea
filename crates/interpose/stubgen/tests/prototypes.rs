//! What the headers say, as the compiler understands them.

mod support;

use std::collections::BTreeMap;

use vmmc_stubgen::exports;
use vmmc_stubgen::prototypes::{self, Headers, Prototype};

fn headers(names: &[&str]) -> Headers {
    Headers {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        directories: vec![support::own("tests/fixtures")],
    }
}

fn fixture() -> BTreeMap<String, Prototype> {
    let wanted = ["mixed", "sum", "cleared", "nothing", "hooked", "handler", "renamed", "unheard_of"];
    prototypes::read(&headers(&["original.h"]), &wanted).unwrap()
}

#[test]
fn shapes_that_are_hard_to_read_are_read() {
    let found = fixture();
    let shape = |name: &str| found.get(name).map(|prototype| (prototype.parameters, prototype.stack_bytes));
    assert_eq!(shape("mixed"), Some((Some(7), None)), "its caller clears the stack");
    assert_eq!(shape("sum"), Some((None, None)), "it takes any number");
    assert_eq!(shape("cleared"), Some((Some(2), Some(8))));
    assert_eq!(shape("nothing"), Some((Some(0), Some(0))));
    assert_eq!(shape("hooked"), Some((Some(4), Some(4 + 4 + 8 + 8))), "a structure and a double take eight each");
    assert_eq!(shape("handler"), Some((Some(2), None)), "it returns a pointer to a function");
    assert_eq!(found["cleared"].text, "int cleared (int, int)");
}

#[test]
fn what_no_header_declares_is_left_out() {
    let found = fixture();
    assert!(!found.contains_key("unheard_of") && !found.contains_key("renamed"));
}

/// The table's numbers come from import libraries, these from declarations.
#[test]
fn the_headers_agree_with_the_table_of_wsock32_about_the_stack() {
    let table = exports::read(&support::wsock32_table()).unwrap();
    let names: Vec<&str> = table.iter().filter_map(|export| export.name.as_deref()).collect();
    let found = prototypes::read(&headers(&["winsock2.h", "mswsock.h", "nspapi.h"]), &names).unwrap();
    assert_eq!(found.len(), 63, "the other 12 are in no header");
    for export in &table {
        let declared = export.name.as_ref().and_then(|name| found.get(name));
        if let Some(prototype) = declared {
            assert_eq!(prototype.stack_bytes, export.stack_bytes, "{}", export.label());
        }
    }
}

#[test]
fn a_header_that_is_not_there_is_an_error_that_names_it() {
    let error = prototypes::read(&headers(&["no_such.h"]), &["accept"]).unwrap_err();
    assert!(format!("{error:#}").contains("no_such.h"), "{error:#}");
}
