//! Python: asyncio, selectors, threads that block, and TLS; echo servers and clients that check what comes back.

use std::path::Path;

use vmmc_tests::{Stage, compare, net};

fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name).to_string_lossy().into_owned()
}

fn echo(stage: &Stage, server: &str, client: &str) -> String {
    let port = net::free_port();
    let text = port.to_string();
    let (key, certificate) = (stage.path("key.pem"), stage.path("cert.pem"));
    let (key, certificate) = (key.to_string_lossy(), certificate.to_string_lossy());
    if server.ends_with("ssl") {
        let words =
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"];
        let more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", &key, "-out", &certificate];
        let _ = stage.plain(&[&words[..], &more[..]].concat()).run();
    }
    let mut started = stage.server(&["python3", &script("echo_server.py"), server, &text, &certificate, &key]).start();
    net::await_listener(&mut started, port);
    stage.client(&["python3", &script("echo_client.py"), client, &text, &certificate]).run()
}

#[test]
fn asyncio_with_asyncio() {
    compare("python-asyncio", |stage| echo(stage, "asyncio", "asyncio"));
}

#[test]
fn asyncio_over_tls() {
    compare("python-asyncio-ssl", |stage| echo(stage, "asyncio-ssl", "asyncio-ssl"));
}

#[test]
fn selectors_with_threads_that_block() {
    compare("python-selectors", |stage| echo(stage, "selectors", "threads"));
}

#[test]
fn threads_that_block_over_tls() {
    compare("python-threads-ssl", |stage| echo(stage, "threads-ssl", "threads-ssl"));
}

#[test]
fn poll_with_select_and_timeouts() {
    compare("python-poll", |stage| echo(stage, "poll", "timeouts"));
}
