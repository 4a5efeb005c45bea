//! The small programs of `apps/`: one behaviour each, the same with the DLL as without.

use std::time::Duration;

use vmmc_tests_windows::{compare, programs};

const PORT: u16 = 9100;
const LIMIT: Duration = Duration::from_secs(120);

/// Both ends of a program: `server PORT …` and `client PORT …`; returns what both printed.
fn behaves(file: &'static str, server_words: &[&str], client_words: &[&str]) {
    let port = PORT.to_string();
    let (server, client) = ([file, "server", &port], [file, "client", &port]);
    together(&[file], &[&server, server_words].concat(), &[&client, client_words].concat());
}

/// A client that says `ok`, with `echo server`.
fn is_echoed(file: &'static str, before_port: &[&str], after_port: &[&str]) {
    let port = PORT.to_string();
    let client = [&[file], before_port, &[&port], after_port].concat();
    together(&["echo.exe", file], &["echo.exe", "server", &port, "1"], &client);
}

/// A server and a client, of these files, by whole command lines.
fn together(files: &[&'static str], server: &[&str], client: &[&str]) {
    let programs: Vec<_> = files.iter().map(|file| programs::app(file)).collect();
    let programs: Vec<_> = programs.iter().map(|program| program.as_path()).collect();
    let name = client.first().copied().unwrap_or_default().trim_end_matches(".exe");
    compare(name, &programs, |stage| {
        let mut server = stage.server(server).limit(LIMIT).start();
        stage.await_listener(&mut server, PORT);
        let client = stage.client(client).limit(LIMIT).finish();
        let server = server.finish();
        let said = format!("client:\n{}server:\n{}", client.stdout, server.stdout);
        assert!(client.status.success() && server.status.success(), "{} {}\n{said}", client.status, server.status);
        said
    });
}

#[test]
fn echo_of_small_messages() {
    behaves("echo.exe", &["1"], &["2000", "8"]);
}

#[test]
fn echo_of_large_messages() {
    behaves("echo.exe", &["1"], &["20", "300000"]);
}

#[test]
fn calls_that_do_not_wait() {
    behaves("nonblocking.exe", &[], &["500"]);
}

#[test]
fn one_select_over_sockets_of_every_kind() {
    behaves("select_mixed.exe", &[], &["200"]);
}

#[test]
fn window_messages() {
    behaves("window.exe", &[], &["200", "23"]);
}

#[test]
fn calls_of_both_dlls_on_one_socket() {
    behaves("both_dlls.exe", &[], &["500"]);
}

#[test]
fn every_way_in_which_a_program_ends_its_connection() {
    for how in ["return", "exit", "process", "cleanup", "handle", "linger"] {
        println!("{how}:");
        behaves("endings.exe", &[], &["50", how]);
    }
}

#[test]
fn a_socket_as_a_file() {
    for how in ["new", "old"] {
        println!("{how}:");
        is_echoed("as_file.exe", &[], &["100", how]);
    }
}

#[test]
fn calls_that_end_later() {
    for how in ["event", "routine", "port", "mixed"] {
        println!("{how}:");
        is_echoed("overlapped.exe", &[], &["100", how]);
    }
}

#[test]
fn functions_that_a_provider_gives() {
    behaves("extensions.exe", &[], &["50"]);
}

#[test]
fn events() {
    behaves("events.exe", &[], &["500"]);
}

#[test]
fn a_connection_that_is_handed_on() {
    for how in ["socket", "self", "handle", "inherited"] {
        println!("{how}:");
        is_echoed("handed.exe", &[], &["100", how]);
    }
}

#[test]
fn a_connection_that_a_child_inherits() {
    is_echoed("children.exe", &["parent"], &["100"]);
}

#[test]
fn names_options_hooks_and_errors() {
    behaves("names.exe", &[], &["200"]);
}
