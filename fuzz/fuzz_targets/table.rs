//! Any bytes as the table of sockets of somebody's process, behind a header that says how many records there are.
#![no_main]
#![allow(dead_code, reason = "of the command, only what reads tables")]
use libfuzzer_sys::fuzz_target;
use vmmc_protocol::record::{MAGIC, VERSION};

#[path = "../../crates/control/cli/src/status/model.rs"]
mod model;
#[path = "../../crates/control/cli/src/status/read.rs"]
mod read;

fuzz_target!(|input: &[u8]| {
    let mut file = input.to_vec();
    // With the first bytes as they must be, most inputs get further.
    let header = [&MAGIC.to_ne_bytes()[..], &VERSION.to_ne_bytes()].concat();
    if file.len() > header.len() && file[header.len()] % 4 != 0 {
        file[..header.len()].copy_from_slice(&header);
    }
    let copy = |buffer: &mut [u8], at: u64| {
        let rest = usize::try_from(at).ok().and_then(|at| file.get(at..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    };
    if let Ok(table) = read::table(&copy) {
        let report = model::Report::new(vec![model::Family { processes: Vec::new(), table }], Vec::new());
        assert!(report.families.len() == 1);
    }
});
