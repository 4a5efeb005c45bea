//! PostgreSQL's own regression tests over TCP: sessions in parallel, each with its backend forked from one server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use vmmc_tests::{Expect, Stage, compare_whole, find, net, source};

/// How long they may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(1800);

/// Where Debian keeps the newest PostgreSQL that is installed.
fn home() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed").flatten();
    let newest = versions.filter_map(|version| version.file_name().to_str()?.parse::<u32>().ok()).max();
    Path::new("/usr/lib/postgresql").join(newest.expect("a version").to_string())
}

/// Runs a command as ourselves: the user as whom the scenario plays may not be let in where the sources are.
fn by_ourselves(words: &[&str]) {
    let (program, arguments) = words.split_first().expect("a program");
    let ended = Command::new(find(program)).args(arguments).status();
    assert!(ended.is_ok_and(|status| status.success()), "{words:?} failed");
}

/// The suite's directory, its shared object compiled against the server's headers.
fn prepare(stage: &Stage, home: &Path) -> String {
    let own = stage.path("regress").to_string_lossy().into_owned();
    let regress = source("postgresql").join("src/test/regress");
    by_ourselves(&["cp", "-r", &regress.to_string_lossy(), &own]);
    let version = home.file_name().expect("a version").to_string_lossy().into_owned();
    let headers = source("postgresql-headers").join(format!("usr/include/postgresql/{version}/server"));
    let headers = format!("-I{}", headers.display());
    let (object, text) = (format!("{own}/regress.so"), format!("{own}/regress.c"));
    by_ourselves(&["gcc", "-O1", "-shared", "-fPIC", &headers, "-o", &object, &text]);
    for module in ["refint.so", "autoinc.so"] {
        by_ourselves(&["cp", &home.join("lib").join(module).to_string_lossy(), &own]);
    }
    by_ourselves(&["chmod", "-R", "a+rwX", &own]);
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
    let home = home();
    let directory = prepare(stage, &home);
    let [bin, initdb, postgres] = ["bin", "bin/initdb", "bin/postgres"].map(|name| home.join(name));
    let data = stage.path("data").to_string_lossy().into_owned();
    let initdb = [
        &*initdb.to_string_lossy(),
        "-D",
        &data,
        "-U",
        "postgres",
        "--auth=trust",
        "--locale=C",
        "-E",
        "UTF8",
        "--no-sync",
    ];
    let _ = stage.plain(&initdb).run();
    let port = net::free_port();
    let text = port.to_string();
    let words = [
        &*postgres.to_string_lossy(),
        "-D",
        &data,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
    ];
    let more = ["-c", "fsync=off", "-p", &text];
    let mut server = stage.server(&[&words[..], &more[..]].concat()).start();
    net::await_words(&mut server, "ready to accept connections");
    let program = home.join("lib/pgxs/src/test/regress/pg_regress");
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
