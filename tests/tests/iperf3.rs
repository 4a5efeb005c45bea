//! iperf3: bulk in one direction, from the client, from the server, and over parallel connections.

use vmmc_tests::{Expect, Stage, compare_with, net};

fn iperf3(stage: &Stage, more: &[&str]) -> String {
    let port = net::free_port();
    let text = port.to_string();
    let mut server = stage.server(&["iperf3", "-s", "--forceflush", "-B", "127.0.0.1", "-p", &text]).start();
    // A connection that is closed at once would count as a test of its own: iperf3 says when it listens.
    for _ in 0..500 {
        if server.output().contains("listening") || !server.is_alive() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let words = [&["iperf3", "-c", "127.0.0.1", "-p", &text, "-t", "1", "--json"], more].concat();
    let report: serde_json::Value = serde_json::from_str(&stage.client(&words).run()).expect("a report in JSON");
    let bytes = |side: &str| report["end"][side]["bytes"].as_u64().unwrap_or(0);
    assert!(bytes("sum_sent") > 10_000_000 && bytes("sum_received") > 10_000_000, "{}", report["end"]);
    format!("error: {}", report["error"])
}

#[test]
fn from_the_client() {
    compare_with("iperf3", Expect::OneWay, None, |stage| iperf3(stage, &[]));
}

#[test]
fn from_the_server() {
    compare_with("iperf3-reverse", Expect::OneWay, None, |stage| iperf3(stage, &["-R"]));
}

#[test]
fn four_at_once() {
    compare_with("iperf3-parallel", Expect::OneWay, None, |stage| iperf3(stage, &["-P", "4"]));
}

#[test]
fn both_directions_at_once() {
    compare_with("iperf3-both", Expect::OneWay, None, |stage| iperf3(stage, &["--bidir"]));
}
