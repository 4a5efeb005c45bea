//! Either end killed at random moments under load, and the broker killed: the survivor sees what TCP would have shown, and
//! never a wrong byte or an end that does not come. `VMMC_TEST_SEED` repeats a run.

use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vmmc_tests::{Ends, Program, Stage, net};

const LOAD: &str = env!("CARGO_BIN_EXE_load");
const ROUNDS: u64 = 6;
const CONNECTIONS: usize = 6;
/// How long a survivor may take to notice.
const NOTICE_LIMIT: Duration = Duration::from_secs(60);

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_micros() as u64);
    let seed = std::env::var("VMMC_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now);
    println!("VMMC_TEST_SEED={seed}");
    seed
}

/// Milliseconds from a beginning to a kill: mostly soon after the connections begin to move, sometimes later.
fn moment(seed: u64, round: u64) -> Duration {
    let mixed = (seed ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33;
    Duration::from_millis(if round.is_multiple_of(2) { mixed % 120 } else { 200 + mixed % 700 })
}

fn serve(stage: &Stage) -> (Program, String) {
    let port = net::free_port();
    let text = port.to_string();
    let mut server = stage.server(&[LOAD, "serve", &text]).limit(Duration::from_secs(300)).start();
    net::await_listener(&mut server, port);
    (server, text)
}

fn drive(stage: &Stage, port: &str, milliseconds: u64, seed: u64) -> Program {
    let (count, milliseconds, seed) = (CONNECTIONS.to_string(), milliseconds.to_string(), seed.to_string());
    let words = [LOAD, "drive", port, &count, &milliseconds, &seed];
    stage.client(&words).limit(Duration::from_millis(60_000) + NOTICE_LIMIT).start()
}

/// Each on the kernel's TCP first, so that the test itself is tested, then with both ends enabled.
fn on_both_roads(name: &str, play: impl Fn(&mut Stage)) {
    let kernel_only = std::env::var("VMMC_TEST_ROADS").is_ok_and(|roads| roads == "kernel");
    for ends in [Ends::Neither, Ends::Both].into_iter().take(if kernel_only { 1 } else { 2 }) {
        let mut stage = Stage::new(name, ends, None);
        play(&mut stage);
        assert!(
            ends == Ends::Neither || stage.moved().both_ways,
            "nothing moved over VMMC both ways:\n{}",
            stage.last_seen()
        );
    }
}

/// Ends of connections that the server has reported, none of them wrong. (The probe that found it listening is one of them.)
fn endings(server: &Program) -> usize {
    let output = server.output();
    assert!(!output.contains("WRONG"), "{output}");
    output.lines().count()
}

#[test]
fn the_client_is_killed() {
    let seed = seed();
    on_both_roads("kill-client", |stage| {
        let (mut server, port) = serve(stage);
        let mut expected = 1;
        for round in 0..ROUNDS {
            let mut client = drive(stage, &port, 20_000, seed + round);
            sleep(Duration::from_millis(150) + moment(seed, round));
            client.kill();
            expected += CONNECTIONS;
            let killed = Instant::now();
            while endings(&server) < expected {
                assert!(killed.elapsed() < NOTICE_LIMIT, "round {round}: {} of {expected} ended", endings(&server));
                assert!(server.is_alive(), "round {round}: the server died with its client:\n{}", server.logs());
                sleep(Duration::from_millis(10));
            }
        }
        let last = drive(stage, &port, 700, seed).finish();
        assert!(last.status.success(), "after the kills: {} {}", last.stdout, last.stderr);
    });
}

#[test]
fn the_server_is_killed() {
    let seed = seed();
    on_both_roads("kill-server", |stage| {
        for round in 0..ROUNDS {
            let (mut server, port) = serve(stage);
            let client = drive(stage, &port, 20_000, seed + round);
            sleep(Duration::from_millis(150) + moment(seed, round));
            server.kill();
            let killed = Instant::now();
            let client = client.finish();
            assert!(
                killed.elapsed() < NOTICE_LIMIT,
                "round {round}: the client took {} ms",
                killed.elapsed().as_millis()
            );
            assert!(client.status.success(), "round {round}: {} {}", client.stdout, client.stderr);
            let endings: Vec<&str> = client.stdout.lines().collect();
            assert_eq!(endings.len(), CONNECTIONS);
            assert!(
                endings.iter().all(|ending| ["end", "cut", "reset", "pipe"].contains(ending)),
                "round {round}: {endings:?}"
            );
        }
    });
}

#[test]
fn nobody_is_killed() {
    let seed = seed();
    on_both_roads("kill-nobody", |stage| {
        let (server, port) = serve(stage);
        let client = drive(stage, &port, 2_000, seed).finish();
        assert_eq!(client.stdout, "end\n".repeat(CONNECTIONS), "{}", client.stderr);
        let began = Instant::now();
        while endings(&server) < CONNECTIONS + 1 && began.elapsed() < NOTICE_LIMIT {
            sleep(Duration::from_millis(10));
        }
        assert_eq!(server.output(), "end\n".repeat(CONNECTIONS + 1));
    });
}

/// Connections under way go on; new ones of programs that are already running stay on the kernel road; and the next `vmmc run`
/// starts a broker, with which the server that has lost its own pairs again.
#[test]
fn the_broker_is_killed() {
    let seed = seed();
    if std::env::var("VMMC_TEST_ROADS").is_ok_and(|roads| roads == "kernel") {
        return;
    }
    let mut stage = Stage::new("kill-broker", Ends::Both, None);
    let (server, port) = serve(&stage);
    let count = CONNECTIONS.to_string();
    let words = ["sh", "-c", "sleep 2; exec \"$0\" \"$@\"", LOAD, "drive", &port, &count, "500", "7"];
    let without = stage.client(&words).start();
    let under_way = drive(&stage, &port, 8_000, seed);
    stage.await_both_ways(NOTICE_LIMIT);
    stage.kill_broker();
    sleep(Duration::from_millis(300));
    assert!(stage.status().both_ways() > 0, "connections under way left the VMMC road with the broker");
    let (without, under_way) = (without.finish(), under_way.finish());
    assert_eq!(without.stdout, "end\n".repeat(CONNECTIONS), "without a broker: {}", without.stderr);
    assert_eq!(under_way.stdout, "end\n".repeat(CONNECTIONS), "under way: {}", under_way.stderr);
    let again = drive(&stage, &port, 60_000, seed + 200);
    let began = Instant::now();
    while stage.status().both_ways() == 0 {
        assert!(began.elapsed() < NOTICE_LIMIT, "with a new broker nothing pairs:\n{}", stage.last_seen());
        sleep(Duration::from_millis(50));
    }
    drop(again);
    let _ = endings(&server);
}
