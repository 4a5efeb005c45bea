//! Any bytes as a message: what is understood is what its encoding says, and nothing else is.
#![no_main]
use libfuzzer_sys::fuzz_target;
use vmmc_protocol::message::{Bytes, Reply, Request, SIZE};

fuzz_target!(|input: &[u8]| {
    let mut bytes: Bytes = [0; SIZE];
    for (byte, given) in bytes.iter_mut().zip(input) {
        *byte = *given;
    }
    if let Ok(request) = Request::decode(&bytes) {
        assert_eq!(request.encode(), bytes);
        assert!(Reply::decode(&bytes).is_err());
    }
    if let Ok(reply) = Reply::decode(&bytes) {
        assert_eq!(reply.encode(), bytes);
    }
});
