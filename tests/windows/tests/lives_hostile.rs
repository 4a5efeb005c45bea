//! A peer that is paired like any other and then writes anything into the memory that it shares: its own connection may end or
//! stand still, and nothing else may happen.

use std::time::Duration;

use vmmc_tests_windows::{Ends, Stage, kernel_road_only, programs};

const PORT: u16 = 9300;
const LIMIT: Duration = Duration::from_secs(120);
/// Processes that write at random, one after the other.
const ATTACKS: u32 = 12;

#[test]
fn what_a_hostile_peer_writes_ends_its_own_connection_and_nothing_else() {
    if kernel_road_only() {
        return;
    }
    let stage = Stage::new("hostile", Ends::Both, &[&programs::app("scribble.exe")]);
    let port = PORT.to_string();
    let program =
        |words: &[&str]| stage.client(&[&["scribble.exe", words[0], &port], &words[1..]].concat()).limit(LIMIT);
    let mut server = program(&["server"]).start();
    stage.await_listener(&mut server, PORT);
    let healthy = program(&["client", "20"]).start();
    stage.await_both_ways();
    for seed in 1..=ATTACKS {
        let hostile = program(&["hostile", &seed.to_string()]).run();
        assert!(hostile.contains("scribbled"), "seed {seed}: {hostile}");
        assert!(server.is_alive(), "seed {seed}: the server ended:\n{}", server.logs());
    }
    let healthy = healthy.finish();
    assert!(healthy.stdout.contains("ok"), "a healthy connection suffered:\n{}", healthy.stdout);
    assert_eq!(program(&["client", "1"]).run().trim(), "ok");
    let _ = program(&["quit"]).run();
    assert!(server.finish().stdout.contains("served"));
}
