//! One scenario, run with neither end enabled, with both, and with one.

use std::collections::BTreeSet;
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
pub(crate) fn kernel_road_only() -> bool {
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
    let native = run(name, Ends::Neither, Expect::Anything, user, &scenario);
    if kernel_road_only() {
        return;
    }
    for ends in [Ends::Both, Ends::ClientOnly, Ends::ServerOnly] {
        let enabled = run(name, ends, expect, user, &scenario);
        assert_eq!(enabled, native, "{name}: {ends:?} enabled differs from the kernel's TCP");
    }
}

/// [`compare_with`] for programs that are both ends of their connections themselves, such as other people's test suites:
/// plainly, and under `vmmc run`.
///
/// # Panics
///
/// As [`compare`].
pub fn compare_whole(name: &str, expect: Expect, user: Option<&str>, scenario: impl Fn(&Stage) -> String) {
    let native = run(name, Ends::Neither, Expect::Anything, user, &scenario);
    if kernel_road_only() {
        return;
    }
    let enabled = run(name, Ends::Both, expect, user, &scenario);
    if let Some(difference) = first_difference(&native, &enabled) {
        panic!("{name}: under vmmc run it differs from the kernel's TCP: {difference}");
    }
}

/// The first lines that only one of two long texts has.
fn first_difference(plain: &str, enabled: &str) -> Option<String> {
    const LINES_SHOWN: usize = 20;
    let lines = |text: &'_ str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (plain, enabled) = (lines(plain), lines(enabled));
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| {
        these.difference(those).take(LINES_SHOWN).cloned().collect::<Vec<_>>().join("\n  ")
    };
    (plain != enabled)
        .then(|| format!("plainly\n  {}\nand enabled\n  {}", only(&plain, &enabled), only(&enabled, &plain)))
}

/// How often a scenario is played if a look now and then saw nothing move: on a busy machine it may have come too late.
const PLAYS_MAX: u32 = 3;

/// Plays a scenario, and sees whether `vmmc status` showed meanwhile what was expected; returns what the scenario did.
fn run(name: &str, ends: Ends, expect: Expect, user: Option<&str>, scenario: &impl Fn(&Stage) -> String) -> String {
    for play in 1.. {
        let stage = Stage::new(name, ends, user);
        let began = Instant::now();
        let result = scenario(&stage);
        let moved = stage.moved();
        println!("{name}: {ends:?}: {} ms, {moved:?}", began.elapsed().as_millis());
        let as_expected = match (ends, expect) {
            (Ends::Both, Expect::BothWays) => moved.both_ways,
            (Ends::Both, Expect::OneWay) => moved.one_way,
            (Ends::Both, Expect::Anything) => true,
            _ => moved == Moved::default(),
        };
        if as_expected {
            return result;
        }
        let again = play < PLAYS_MAX && ends == Ends::Both;
        assert!(again, "{name}: {ends:?} enabled, {expect:?} expected, but {moved:?}:\n{}", stage.last_seen());
    }
    unreachable!("the last play returns or fails")
}
