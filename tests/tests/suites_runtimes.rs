//! Java, whose sockets are C's, and Go, which makes its system calls itself and stays on the kernel road.

use std::path::{Path, PathBuf};

use vmmc_tests::{Ends, Expect, Stage, compare, compare_with, net, source};

fn suite(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suites").join(file)
}

fn java(stage: &Stage, what: &str) -> String {
    let source = suite("Ends.java");
    let directory = stage.directory().to_string_lossy().into_owned();
    let _ = stage.plain(&["javac", "-d", &directory, &source.to_string_lossy()]).run();
    let port = net::free_port();
    let text = port.to_string();
    let mut server = stage.server(&["java", "-cp", &directory, "Ends", "server", what, &text]).start();
    net::await_listener(&mut server, port);
    stage.client(&["java", "-cp", &directory, "Ends", "client", what, &text]).run()
}

#[test]
fn java_selector_with_clients_that_block() {
    compare("java-nio", |stage| java(stage, "echo"));
}

#[test]
fn java_http_server_and_client() {
    compare("java-http", |stage| java(stage, "http"));
}

/// Builds `suites/ends.go`, statically or with C's library.
fn build(stage: &Stage, with_c: bool) -> String {
    let files: &[&str] = if with_c { &["ends.go", "with_c.go"] } else { &["ends.go"] };
    let files: Vec<String> = files.iter().map(|file| suite(file).to_string_lossy().into_owned()).collect();
    let program = stage.path("ends").to_string_lossy().into_owned();
    let words = ["go", "build", "-o", &program].into_iter().chain(files.iter().map(String::as_str));
    let _ = stage
        .plain(&words.collect::<Vec<_>>())
        .env("CGO_ENABLED", if with_c { "1" } else { "0" })
        .env("GO111MODULE", "off")
        .env("GOCACHE", source("go"))
        .run();
    program
}

fn go(stage: &Stage, with_c: bool) -> String {
    let program = build(stage, with_c);
    let port = net::free_port();
    let text = port.to_string();
    let mut server = stage.server(&[&program, "server", &text]).start();
    net::await_listener(&mut server, port);
    let said = stage.client(&[&program, "client", &text]).run();
    assert_eq!(stage.moved(), vmmc_tests::Moved::default(), "Go does not call C's library for its sockets");
    if stage.ends() == Ends::Both {
        // And against a client that calls it.
        let _ = stage.write("body", "a".repeat(100_000));
        let url = format!("http://127.0.0.1:{port}/");
        let mut words = vec!["curl", "-sS", "--fail", "--data-binary", "@body"];
        (0..50).for_each(|_| words.extend(["-o", "got", &url]));
        let _ = stage.client(&words).run();
        assert_eq!(std::fs::read(stage.path("got")).expect("an answer"), "a".repeat(100_000).as_bytes());
    }
    said
}

#[test]
fn go_without_c() {
    compare_with("go-static", Expect::Anything, None, |stage| go(stage, false));
}

#[test]
fn go_with_c() {
    compare_with("go-with-c", Expect::Anything, None, |stage| go(stage, true));
}
