//! The simulated provider keeps the contract.
#![cfg(not(loom))]
use std::thread;
use std::time::{Duration, Instant};
use vmmc_conformance::{Provider, Windows, buffer_tests, window_tests};
use vmmc_contract::Permission;
use vmmc_sim::{SimBuffer, SimExport, SimImport, Timing};

struct Sim(SimBuffer);

impl Windows for Sim {
    type Export = SimExport;
    type Import = SimImport;

    fn pair(len: usize) -> (SimExport, SimImport) {
        let buffer = SimBuffer::new(len + 64);
        (buffer.export(64, len).unwrap(), buffer.import(64, len).unwrap())
    }
}

impl Provider for Sim {
    type Export = SimBuffer;
    type Import = SimImport;

    fn create(len: usize, destination: usize) -> Self {
        Self(SimBuffer::with(Timing::Immediate, len, destination))
    }

    fn export(&self) -> &SimBuffer {
        &self.0
    }

    fn import(&self, permission: Permission) -> SimImport {
        self.0.grant(0, vmmc_contract::Export::len(&self.0), permission).unwrap()
    }

    fn revoke(&self, import: &SimImport) {
        self.0.revoke(import);
    }

    fn notified(&self, timeout: Duration) -> bool {
        let start = Instant::now();
        loop {
            if self.0.take_notification() {
                return true;
            }
            if start.elapsed() >= timeout {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn arrived(&self, _at: usize, _len: usize) {}

    fn destination(&self, at: usize, dst: &mut [u8]) {
        assert!(self.0.read_destination(at, dst));
    }
}

window_tests!(Sim);
buffer_tests!(Sim);
