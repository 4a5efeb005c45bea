//! Two thousand connections at once between two processes.

use std::path::Path;

use vmmc_tests::{compare, net};

#[test]
fn two_thousand_connections_at_once() {
    compare("crowd", |stage| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/crowd.py");
        let script = script.to_string_lossy();
        let port = net::free_port();
        let text = port.to_string();
        let mut server = stage.server(&["python3", &script, "server", &text]).start();
        net::await_listener(&mut server, port);
        stage.client(&["python3", &script, "client", &text, "2000"]).run()
    });
}
