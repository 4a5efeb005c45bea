//! gRPC, which asks on every connection how much is left to receive (`TCP_INQ`) and believes what it is told.

use std::path::Path;

use vmmc_tests::{compare, net};

#[test]
fn grpc_of_python() {
    compare("grpc", |stage| {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/rpc_ends.py");
        let program = program.to_string_lossy().into_owned();
        let port = net::free_port();
        let text = port.to_string();
        let mut server = stage.server(&["/usr/bin/python3", &program, "server", &text]).start();
        net::await_listener(&mut server, port);
        stage.client(&["/usr/bin/python3", &program, "client", &text]).run()
    });
}
