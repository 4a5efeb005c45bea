//! Any bytes as the place of a broker: used as they are, or refused.
#![no_main]
use libfuzzer_sys::fuzz_target;
use vmmc_protocol::runtime_dir::DIR_MAX;
use vmmc_protocol::{Client, RuntimeDir};

fuzz_target!(|input: &[u8]| match RuntimeDir::at(input) {
    Some(place) => {
        assert!(place.as_bytes() == input && input.len() <= DIR_MAX && input.starts_with(b"/"));
        // Nobody listens in such places here.
        assert!(Client::connect(&place).is_err());
    }
    None => assert!(!input.starts_with(b"/") || input.contains(&0) || input.len() > DIR_MAX),
});
