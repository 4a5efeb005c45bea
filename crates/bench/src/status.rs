//! Which road an enabled process's data took, as `vmmc status` tells it.

use std::process::Stdio;

use serde_json::Value;

use crate::process::Own;

/// A process's connections.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Roads {
    pub(crate) connections: usize,
    /// Connections with data through memory in both directions.
    pub(crate) both_ways: usize,
    /// Data bytes through memory, and through the kernel.
    pub(crate) memory_bytes: u64,
    pub(crate) kernel_bytes: u64,
}

impl Roads {
    /// Counts a connection in: data bytes through memory and through the kernel, outgoing and incoming.
    pub(crate) fn add(&mut self, memory: [u64; 2], kernel: [u64; 2]) {
        self.connections += 1;
        self.both_ways += usize::from(memory.iter().all(|bytes| *bytes > 0));
        self.memory_bytes += memory.iter().sum::<u64>();
        self.kernel_bytes += kernel.iter().sum::<u64>();
    }

    /// Data bytes on either road.
    pub(crate) fn bytes(self) -> u64 {
        self.memory_bytes + self.kernel_bytes
    }

    /// The share of data bytes that went through memory; `None` without data.
    pub(crate) fn through_memory(self) -> Option<f64> {
        (self.bytes() > 0).then(|| self.memory_bytes as f64 / self.bytes() as f64)
    }
}

/// The roads of the process `pid`, as the command tells them; `None` if it does not.
pub(crate) fn roads(own: &Own, pid: u32) -> Option<Roads> {
    let said = own.command(&["status", "--json"]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    of_process(&serde_json::from_slice(&said.stdout).ok()?, pid)
}

fn of_process(status: &Value, pid: u32) -> Option<Roads> {
    let mut families = list(&status["families"]);
    let family = families.find(|family| list(&family["processes"]).any(|process| process["pid"] == pid))?;
    let mut roads = Roads::default();
    for socket in list(&family["sockets"]).filter(|socket| socket["kind"] == "connection") {
        let sum = |what: &str| ["outgoing", "incoming"].map(|way| socket[way][what].as_u64().unwrap_or(0));
        roads.add(sum("vmmc_bytes"), sum("kernel_bytes"));
    }
    Some(roads)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_asked_for_is_the_one_that_is_counted() {
        let socket = |bytes: u64| {
            serde_json::json!({ "kind": "connection", "outgoing": { "vmmc_bytes": bytes, "kernel_bytes": 0 },
                "incoming": { "vmmc_bytes": 0, "kernel_bytes": 10 } })
        };
        let family =
            |pid: u32, bytes: u64| serde_json::json!({ "processes": [{ "pid": pid }], "sockets": [socket(bytes)] });
        let status = serde_json::json!({ "families": [family(7, 1), family(8, 90)] });
        let expected = Roads { connections: 1, both_ways: 0, memory_bytes: 90, kernel_bytes: 10 };
        assert_eq!(of_process(&status, 8), Some(expected));
        assert_eq!(expected.through_memory(), Some(0.9));
        assert_eq!(of_process(&status, 9), None);
    }
}
