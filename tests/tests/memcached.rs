//! memcached: several threads, each with an event loop of its own, and a client that checks every answer.

use std::path::Path;

use vmmc_tests::{compare, net};

#[test]
fn a_client_that_checks_every_answer() {
    compare("memcached", |stage| {
        let port = net::free_port();
        let text = port.to_string();
        let words = ["memcached", "-u", "root", "-l", "127.0.0.1", "-p", &text, "-U", "0", "-t", "2", "-m", "256"];
        let mut server = stage.server(&words).start();
        net::await_listener(&mut server, port);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/memcached_client.py");
        stage.client(&["python3", &script.to_string_lossy(), &text]).run()
    });
}
