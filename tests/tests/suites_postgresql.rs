//! PostgreSQL's own regression tests over TCP: sessions in parallel, each with its backend forked from one server.

use std::path::Path;
use std::time::Duration;

use vmmc_tests::{Expect, Stage, compare_whole, find, net};

/// How long they may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(1800);

/// The suite's directory, its shared object compiled against the server's headers.
fn prepare(stage: &Stage) -> String {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/suites");
    let own = stage.path("regress").to_string_lossy().into_owned();
    let source = suites.join("postgresql/src/test/regress");
    let _ = stage.plain(&["cp", "-r", &source.to_string_lossy(), &own]).run();
    let home = find("initdb").parent().and_then(Path::parent).expect("its home").to_owned();
    let version = home.file_name().expect("a version").to_string_lossy().into_owned();
    let headers = suites.join(format!("postgresql-headers/usr/include/postgresql/{version}/server"));
    let headers = format!("-I{}", headers.display());
    let _ = stage
        .plain(&["gcc", "-O1", "-shared", "-fPIC", &headers, "-o", "regress/regress.so", "regress/regress.c"])
        .run();
    for module in ["refint.so", "autoinc.so"] {
        let module = home.join("lib").join(module);
        let _ = stage.plain(&["cp", &module.to_string_lossy(), &own]).run();
    }
    own
}

/// How each test ended, without the times.
fn ends(report: &str) -> String {
    let tests = report.lines().filter_map(|line| {
        let (name, end) = line.trim().trim_start_matches("test ").split_once("...")?;
        Some(format!("{} {}", name.trim(), end.split_whitespace().next()?))
    });
    tests.collect::<Vec<_>>().join("\n")
}

fn regress(stage: &Stage) -> String {
    let directory = prepare(stage);
    let data = stage.path("data").to_string_lossy().into_owned();
    let initdb = ["initdb", "-D", &data, "-U", "postgres", "--auth=trust", "--locale=C", "-E", "UTF8", "--no-sync"];
    let _ = stage.plain(&initdb).run();
    let port = net::free_port();
    let text = port.to_string();
    let words = ["postgres", "-D", &data, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="];
    let more = ["-c", "fsync=off", "-p", &text];
    let mut server = stage.server(&[&words[..], &more[..]].concat()).start();
    net::await_listener(&mut server, port);
    let bin = find("initdb").parent().expect("a directory").to_owned();
    let program = bin.join("../lib/pgxs/src/test/regress/pg_regress");
    let report = stage
        .client(&[
            &program.to_string_lossy(),
            "--host=127.0.0.1",
            &format!("--port={port}"),
            "--user=postgres",
            "--max-concurrent-tests=20",
            &format!("--bindir={}", bin.display()),
            &format!("--dlpath={directory}"),
            &format!("--inputdir={directory}"),
            &format!("--outputdir={directory}"),
            &format!("--schedule={directory}/parallel_schedule"),
        ])
        .directory(Path::new(&directory))
        .limit(LIMIT)
        .finish();
    let ends = ends(&report.stdout);
    assert!(ends.lines().count() > 150, "{}\n{}", report.stdout, report.stderr);
    ends
}

#[test]
fn its_own_regression_tests() {
    compare_whole("postgresql-regress", Expect::BothWays, Some("nobody"), regress);
}
