//! Any text as a policy: it is one, or one line says why it is none; and whoever asks which end first gets the same answer.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;
use vmmc_broker::{Party, Policy};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Policy::parse(text) {
        Ok(policy) => {
            let end = |user, port| Party { pid: 0, user, address: IpAddr::from([127, 0, 0, 1]), port };
            let ends = [end(Some(0), 80), end(Some(1000), 40_000), end(None, 5432)];
            for (one, other) in ends.iter().flat_map(|one| ends.iter().map(move |other| (one, other))) {
                assert_eq!(policy.allows([one, other]), policy.allows([other, one]));
            }
        }
        Err(why) => {
            assert!(!why.contains('\n') && why.split_once(':').is_some_and(|(line, _)| line.parse::<usize>().is_ok()))
        }
    }
});
