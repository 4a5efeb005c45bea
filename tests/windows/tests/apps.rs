//! The small programs of `apps/`: one behaviour each, the same with the DLL as without.

use std::time::Duration;

use vmmc_tests_windows::{compare, programs};

const PORT: u16 = 9100;
const LIMIT: Duration = Duration::from_secs(120);

/// Both ends of a program: `server PORT …` and `client PORT …`; returns what both printed.
fn behaves(file: &'static str, server_words: &[&str], client_words: &[&str]) {
    compare(file.trim_end_matches(".exe"), &[&programs::app(file)], |stage| {
        let port = PORT.to_string();
        let server = [&[file, "server", &port], server_words].concat();
        let mut server = stage.server(&server).limit(LIMIT).start();
        stage.await_listener(&mut server, PORT);
        let client = stage.client(&[&[file, "client", &port], client_words].concat()).limit(LIMIT).finish();
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
