//! The small programs of `apps/`: one behaviour each, the same with the DLL as without.

use std::time::Duration;

use vmmc_tests_windows::{Stage, compare, programs};

const PORT: u16 = 9100;
const LIMIT: Duration = Duration::from_secs(120);

/// Both ends of a program: `server PORT …` and `client PORT …`; returns what both printed.
fn behaves(file: &'static str, server_words: &[&str], client_words: &[&str]) {
    behaves_each_way(file, server_words, &[client_words]);
}

/// [`behaves`], with each of these clients in turn.
fn behaves_each_way(file: &'static str, server_words: &[&str], clients: &[&[&str]]) {
    let port = PORT.to_string();
    let clients: Vec<_> = clients.iter().map(|words| [&[file, "client", &port], *words].concat()).collect();
    together(&[file], &[&[file, "server", &port], server_words].concat(), &clients);
}

/// Clients that say `ok`, each in turn with `echo server`: the program, the port, these words.
fn is_echoed(file: &'static str, clients: &[&[&str]]) {
    let port = PORT.to_string();
    let clients: Vec<_> = clients.iter().map(|words| [&[file, &port], *words].concat()).collect();
    together(&["echo.exe", file], &["echo.exe", "server", &port, "1"], &clients);
}

/// A server and a client, of these files, by whole command lines; then the next client, with a server of its own.
fn together(files: &[&'static str], server: &[&str], clients: &[Vec<&str>]) {
    let programs: Vec<_> = files.iter().map(|file| programs::app(file)).collect();
    let programs: Vec<_> = programs.iter().map(|program| program.as_path()).collect();
    let name = files.last().copied().unwrap_or_default().trim_end_matches(".exe");
    compare(name, &programs, |stage| clients.iter().map(|client| pair(stage, server, client)).collect());
}

/// What a server and its client said, which both end well.
fn pair(stage: &Stage, server: &[&str], client: &[&str]) -> String {
    let mut server = stage.server(server).limit(LIMIT).start();
    stage.await_listener(&mut server, PORT);
    let ended = stage.client(client).limit(LIMIT).finish();
    let server = server.finish();
    let said = format!("{client:?}:\n{}server:\n{}", ended.stdout, server.stdout);
    assert!(ended.status.success() && server.status.success(), "{} {}\n{said}", ended.status, server.status);
    said
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
    let ways = ["return", "exit", "process", "cleanup", "handle", "linger"].map(|how| ["50", how]);
    behaves_each_way("endings.exe", &[], &ways.each_ref().map(|words| &words[..]));
}

#[test]
fn a_socket_as_a_file() {
    is_echoed("as_file.exe", &[&["100", "new"], &["100", "old"]]);
}

#[test]
fn calls_that_end_later() {
    let ways = ["event", "routine", "port", "mixed"].map(|how| ["100", how]);
    is_echoed("overlapped.exe", &ways.each_ref().map(|words| &words[..]));
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
    let ways = ["socket", "self", "handle", "inherited"].map(|how| ["100", how]);
    is_echoed("handed.exe", &ways.each_ref().map(|words| &words[..]));
}

#[test]
fn a_connection_that_a_child_inherits() {
    let port = PORT.to_string();
    let client = vec!["children.exe", "parent", &port, "100"];
    together(&["echo.exe", "children.exe"], &["echo.exe", "server", &port, "1"], &[client]);
}

#[test]
fn names_options_hooks_and_errors() {
    behaves("names.exe", &[], &["200"]);
}
