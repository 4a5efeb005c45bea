//! PostgreSQL over 127.0.0.1: a process forked for each accepted connection, latches over epoll, and a client that blocks.

use vmmc_tests::{Expect, Program, Stage, compare_with, net};

fn start(stage: &Stage) -> (Program, String) {
    let data = stage.path("data");
    let data = data.to_string_lossy();
    let _ = stage
        .plain(&["initdb", "-D", &data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"])
        .run();
    let port = net::free_port();
    let text = port.to_string();
    let directory = stage.directory().to_string_lossy().into_owned();
    let settings = ["fsync=off", "shared_buffers=32MB", "listen_addresses=127.0.0.1", "max_connections=40"];
    let mut words = vec!["postgres", "-D", &data, "-p", &text, "-k", &directory];
    words.extend(settings.iter().flat_map(|setting| ["-c", setting]));
    let mut server = stage.server(&words).start();
    net::await_words(&mut server, "ready to accept connections");
    (server, text)
}

/// A client program, connecting over TCP.
fn client(stage: &Stage, program: &str, port: &str, more: &[&str]) -> String {
    let words = [&[program, "-h", "127.0.0.1", "-p", port, "-U", "postgres"], more].concat();
    stage.client(&words).run()
}

/// pgbench writing and reading; its books must balance. Then a result of many rows through one connection.
#[test]
fn pgbench_and_a_large_result() {
    compare_with("postgresql", Expect::BothWays, Some("postgres"), |stage| {
        let (server, port) = start(stage);
        let _ = client(stage, "pgbench", &port, &["-i", "-q", "-s", "1", "postgres"]);
        for mode in [&["-t", "400"][..], &["-t", "3000", "-S", "-M", "prepared"]] {
            let report =
                client(stage, "pgbench", &port, &[&["-n", "-c", "4", "-j", "2"], mode, &["postgres"]].concat());
            assert!(report.contains("number of failed transactions: 0 ") && report.contains("tps = "), "{report}");
        }
        let query = |query: &str| client(stage, "psql", &port, &["-X", "-A", "-t", "-c", query, "postgres"]);
        let books = query(
            "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history),
                    (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history),
                    (select count(*) from pgbench_history)",
        );
        let rows = query("select i, md5(i::text) from generate_series(1, 200000) i");
        let right = rows
            .lines()
            .enumerate()
            .all(|(at, row)| row.split_once('|').is_some_and(|(i, _)| i == (at + 1).to_string()));
        assert!(right && rows.lines().count() == 200_000, "rows are missing or out of order");
        server.terminate();
        format!("{books}{}", rows.len())
    });
}
