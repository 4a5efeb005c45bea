//! mosquitto: a broker between a subscriber and publishers, each a program of its own; small messages and a large one.

use std::path::PathBuf;
use std::time::Duration;

use vmmc_tests_windows::{compare, programs};

const PORT: u16 = 1883;
const LIMIT: Duration = Duration::from_secs(120);
/// How many small messages are published, and the bytes of the large one.
const SMALL: usize = 200;
const LARGE: usize = 500_000;

#[test]
fn messages_reach_their_subscriber() {
    let files = programs::mosquitto();
    let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
    compare("mosquitto", &files, |stage| {
        let _ = stage.write("mosquitto.conf", "listener 1883 127.0.0.1\nallow_anonymous true\n");
        let _ = stage.write("large", "a large message ".repeat(LARGE / 16));
        let [configuration, large] = ["mosquitto.conf", "large"].map(|name| programs::stage_path(stage, name));
        let mut broker = stage.server(&["mosquitto.exe", "-c", &configuration]).limit(LIMIT).start();
        stage.await_listener(&mut broker, PORT);
        let count = (SMALL + 1).to_string();
        let common = ["-h", "127.0.0.1", "-t", "tests/windows", "-q", "1"];
        // It keeps what is published while nobody listens, since the client has an identity and no clean session.
        let identity = ["mosquitto_sub.exe", "-i", "reader", "-c"];
        let subscribe = stage.client(&[&identity[..], &common, &["-E"]].concat()).limit(LIMIT).finish();
        assert!(subscribe.status.success(), "{subscribe:?}");
        let subscriber =
            stage.client(&[&identity[..], &common, &["-C", &count, "-F", "%l %p"]].concat()).limit(LIMIT).start();
        let small = ["-m", "a small message", "--repeat", "200", "--repeat-delay", "0"];
        let _ = stage.client(&[&["mosquitto_pub.exe"], &common[..], &small].concat()).limit(LIMIT).run();
        let _ = stage.client(&[&["mosquitto_pub.exe"], &common[..], &["-f", &large]].concat()).limit(LIMIT).run();
        let received = subscriber.finish();
        assert!(received.status.success(), "{received:?}");
        assert_eq!(received.stdout.lines().filter(|line| line.starts_with("15 a small message")).count(), SMALL);
        received.stdout
    });
}
