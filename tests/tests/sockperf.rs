//! sockperf: latency of small messages, each checked on its return.

use vmmc_tests::{Stage, compare, net};

fn sockperf(stage: &Stage, mode: &str, more: &[&str]) -> String {
    let port = net::free_port();
    let text = port.to_string();
    let mut server = stage.server(&["sockperf", "server", "--tcp", "-i", "127.0.0.1", "-p", &text]).start();
    net::await_listener(&mut server, port);
    let words = [&["sockperf", mode, "--tcp", "-i", "127.0.0.1", "-p", &text, "-t", "1"], more].concat();
    let report = stage.client(&words).run();
    assert!(report.contains("Summary:"), "{report}");
    // What sockperf calls dropped is what had not come back when its time was up, which on a busy machine may be something.
    let counts = report.lines().find_map(|line| line.split_once("# duplicated messages")).expect("a count of messages");
    let digits = |text: &str| text.chars().filter(|c| c.is_ascii_digit() || *c == ';').collect::<String>();
    assert!(digits(counts.1).starts_with("0;0"), "duplicated or out of order: {report}");
    "in order".to_owned()
}

#[test]
fn ping_pong_with_checked_content() {
    compare("sockperf", |stage| {
        sockperf(stage, "ping-pong", &["--msg-size", "64", "--mps", "20000", "--data-integrity"])
    });
}

#[test]
fn ping_pong_of_larger_messages() {
    compare("sockperf-large", |stage| {
        sockperf(stage, "ping-pong", &["--msg-size", "8000", "--mps", "20000", "--data-integrity"])
    });
}

#[test]
fn under_load() {
    compare("sockperf-load", |stage| {
        sockperf(stage, "under-load", &["--msg-size", "200", "--mps", "20000", "--reply-every", "1"])
    });
}
