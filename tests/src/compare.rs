//! One scenario, run with neither end enabled, with both, and with one.

use std::time::Instant;

use crate::{Moved, Stage};

/// Which ends of a scenario's connections are started by `vmmc run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The kernel's TCP: what the others are compared with.
    Neither,
    /// Both: the connections are meant to move.
    Both,
    /// Only the programs started by [`Stage::client`].
    ClientOnly,
    /// Only the programs started by [`Stage::server`].
    ServerOnly,
}

impl Ends {
    /// The server's end is enabled.
    #[must_use]
    pub fn server(self) -> bool {
        matches!(self, Self::Both | Self::ServerOnly)
    }

    /// The client's end is enabled.
    #[must_use]
    pub fn client(self) -> bool {
        matches!(self, Self::Both | Self::ClientOnly)
    }
}

/// What `vmmc status` must have shown of a scenario while both ends were enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A connection that moved data over VMMC in both of its directions.
    BothWays,
    /// A connection that moved data over VMMC in one direction at least.
    OneWay,
    /// Nothing in particular.
    Anything,
}

/// Only what needs no library is to be run.
fn kernel_road_only() -> bool {
    std::env::var("VMMC_TEST_ROADS").is_ok_and(|roads| roads == "kernel")
}

/// Runs a scenario on the kernel road, with both ends enabled, and with one end enabled. It returns what must be the
/// same each time; with both ends enabled both directions of a connection must have moved data over VMMC.
///
/// # Panics
///
/// If a run fails, differs from the first, or did not use the road that it was meant to.
pub fn compare(name: &str, scenario: impl Fn(&Stage) -> String) {
    compare_with(name, Expect::BothWays, None, scenario);
}

/// [`compare`], saying what to expect and as which user the programs run (root's, if it may, and otherwise ours).
///
/// # Panics
///
/// As [`compare`].
pub fn compare_with(name: &str, expect: Expect, user: Option<&str>, scenario: impl Fn(&Stage) -> String) {
    let native = run(name, Ends::Neither, user, &scenario).0;
    if kernel_road_only() {
        return;
    }
    for ends in [Ends::Both, Ends::ClientOnly, Ends::ServerOnly] {
        let (enabled, moved) = run(name, ends, user, &scenario);
        assert_eq!(enabled, native, "{name}: {ends:?} enabled differs from the kernel's TCP");
        match expect {
            _ if ends != Ends::Both => {
                assert_eq!(moved, Moved::default(), "{name}: {ends:?}: with one end enabled nothing can move")
            }
            Expect::BothWays => {
                assert!(moved.both_ways, "{name}: no connection moved data over VMMC in both directions")
            }
            Expect::OneWay => assert!(moved.one_way, "{name}: no connection moved data over VMMC"),
            Expect::Anything => {}
        }
    }
}

/// One run: what the scenario returned, and what `vmmc status` showed meanwhile.
fn run(name: &str, ends: Ends, user: Option<&str>, scenario: &impl Fn(&Stage) -> String) -> (String, Moved) {
    let stage = Stage::new(name, ends, user);
    let began = Instant::now();
    let result = scenario(&stage);
    let moved = stage.moved();
    println!("{name}: {ends:?}: {} ms, {moved:?}", began.elapsed().as_millis());
    (result, moved)
}
