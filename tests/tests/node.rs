//! Node: libuv's edge-triggered epoll under `http` with keep-alive and under `net` with back-pressure.

use std::path::Path;

use vmmc_tests::{Expect, Stage, compare, compare_with, net};

fn node(stage: &Stage, mode: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/node_ends.js");
    let script = script.to_string_lossy();
    let port = net::free_port();
    let text = port.to_string();
    let mut server = stage.server(&["node", &script, "server", mode, &text]).start();
    net::await_listener(&mut server, port);
    stage.client(&["node", &script, "client", mode, &text]).run()
}

#[test]
fn http_with_keep_alive() {
    compare("node-http", |stage| node(stage, "http"));
}

/// Whichever direction has a receiver that is always behind stays on the kernel road, if it was behind before the two were paired.
#[test]
fn net_with_back_pressure() {
    compare_with("node-net", Expect::OneWay, None, |stage| node(stage, "net"));
}
