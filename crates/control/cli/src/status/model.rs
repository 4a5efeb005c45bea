//! What `vmmc status` knows, in the shape in which `--json` prints it (described in the subcommand's help).

use serde::Serialize;
use std::net::SocketAddr;
use vmmc_protocol::Reason;

/// The shape's version: raised when a field changes its meaning.
const SCHEMA: u32 = 1;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    schema: u32,
    pub(crate) families: Vec<Family>,
    pub(crate) reasons: Vec<Explanation>,
    pub(crate) unreadable: Vec<Unreadable>,
}

/// The processes that share one table of sockets: a process, and those that it forked.
#[derive(Debug, Serialize)]
pub(crate) struct Family {
    pub(crate) processes: Vec<Process>,
    #[serde(flatten)]
    pub(crate) table: Table,
}

/// One process.
#[derive(Debug, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) command: String,
}

/// What one table says.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) profile: Profile,
    pub(crate) broker: Broker,
    /// Times that the safety net woke a call which should have had a doorbell.
    pub(crate) rescues: u32,
    pub(crate) sockets: Vec<Socket>,
    /// Records that made no sense.
    pub(crate) damaged: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Profile {
    Safe,
    Latency,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Broker {
    NotAsked,
    Connected,
    Absent,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Unconnected,
    Listening,
    Connection,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Road {
    Kernel,
    Vmmc,
    Unknown,
}

/// One socket.
#[derive(Debug, Serialize)]
pub(crate) struct Socket {
    pub(crate) descriptor: u32,
    pub(crate) opened_by: u32,
    pub(crate) kind: Kind,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) paired: bool,
    pub(crate) outgoing: Option<Direction>,
    pub(crate) incoming: Option<Direction>,
}

/// One direction of a connection.
#[derive(Debug, Serialize)]
pub(crate) struct Direction {
    pub(crate) road: Road,
    #[serde(serialize_with = "as_code")]
    pub(crate) reason: Option<Reason>,
    pub(crate) kernel_bytes: u64,
    pub(crate) kernel_messages: u64,
    pub(crate) vmmc_bytes: u64,
    pub(crate) vmmc_messages: u64,
    pub(crate) switches: u64,
    pub(crate) doorbells: u64,
    pub(crate) sleeps: u64,
}

/// What a reason means.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    pub(crate) code: &'static str,
    pub(crate) sentence: &'static str,
    pub(crate) advice: &'static str,
    #[serde(rename = "final")]
    pub(crate) is_final: bool,
}

/// A process that has a table which cannot be shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Unreadable {
    pub(crate) pid: i32,
    pub(crate) why: String,
}

fn as_code<S: serde::Serializer>(reason: &Option<Reason>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(|reason| reason.row().code).serialize(serializer)
}

impl Report {
    /// A report on these families, with the reasons that occur in them explained.
    pub(crate) fn new(families: Vec<Family>, unreadable: Vec<Unreadable>) -> Self {
        let mut seen: Vec<Reason> = families.iter().flat_map(|family| family.table.reasons()).collect();
        seen.sort_by_key(|reason| reason.number());
        seen.dedup();
        Self { schema: SCHEMA, families, reasons: seen.into_iter().map(Explanation::of).collect(), unreadable }
    }

    /// The part of it that is about one process.
    pub(crate) fn only(self, pid: i32) -> Self {
        let families =
            self.families.into_iter().filter(|family| family.processes.iter().any(|process| process.pid == pid));
        Self::new(families.collect(), self.unreadable.into_iter().filter(|unreadable| unreadable.pid == pid).collect())
    }
}

impl Table {
    /// The connections among its sockets.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().filter(|socket| socket.kind == Kind::Connection)
    }

    fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.connections().flat_map(Socket::directions).filter_map(|direction| direction.reason)
    }
}

impl Socket {
    /// Both directions, outgoing first; none unless it is a connection.
    pub(crate) fn directions(&self) -> impl Iterator<Item = &Direction> {
        self.outgoing.iter().chain(&self.incoming)
    }

    /// Whether both directions are on the VMMC road.
    pub(crate) fn is_accelerated(&self) -> bool {
        self.kind == Kind::Connection && self.directions().all(|direction| direction.road == Road::Vmmc)
    }
}

impl Explanation {
    fn of(reason: Reason) -> Self {
        let row = reason.row();
        Self { code: row.code, sentence: row.sentence, advice: row.advice, is_final: row.is_final }
    }
}
