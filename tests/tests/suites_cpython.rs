//! CPython's own tests of sockets, readiness, asyncio, TLS and servers: every test ends as it does plainly.
//!
//! Debian's package has them. `suites/cpython-excluded.txt` names those that are left out, each with its reason.

use std::path::{Path, PathBuf};
use std::time::Duration;

use vmmc_tests::{Expect, Program, Stage, compare_whole};

/// How long one program of some modules may take on a machine that does other things as well.
const LIMIT: Duration = Duration::from_secs(900);

fn suite(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suites").join(file)
}

/// Runs groups of modules, each group in a program of its own and all at once; returns how every test ended.
fn outcomes(stage: &Stage, groups: &[&[&str]]) -> String {
    let (runner, excluded) = (suite("cpython.py"), suite("cpython-excluded.txt"));
    let (runner, excluded) = (runner.to_string_lossy(), excluded.to_string_lossy());
    let programs: Vec<Program> = groups
        .iter()
        .enumerate()
        .map(|(number, modules)| {
            // CPython's tests name their files as they like.
            let directory = stage.path(&format!("group-{number}"));
            std::fs::create_dir(&directory).expect("a directory");
            let words = [&["/usr/bin/python3", &runner, "--without", &excluded], *modules].concat();
            stage.server(&words).directory(&directory).limit(LIMIT).start()
        })
        .collect();
    let outcomes: Vec<String> = programs
        .into_iter()
        .map(|program| {
            let finished = program.finish();
            assert!(finished.status.success(), "{}\n{}", finished.status, finished.stderr);
            finished.stdout
        })
        .collect();
    outcomes.concat()
}

#[test]
fn sockets_and_readiness() {
    let groups: [&[&str]; 2] = [
        &["test_socket", "test_socketserver"],
        &["test_select", "test_poll", "test_epoll", "test_selectors", "test_timeout", "test_asyncore", "test_asynchat"],
    ];
    compare_whole("cpython-sockets", Expect::Anything, None, |stage| outcomes(stage, &groups));
}

#[test]
fn asyncio() {
    let groups: [&[&str]; 2] = [
        &["test_asyncio.test_events", "test_asyncio.test_unix_events", "test_asyncio.test_sock_lowlevel"],
        &[
            "test_asyncio.test_base_events",
            "test_asyncio.test_selector_events",
            "test_asyncio.test_sendfile",
            "test_asyncio.test_server",
            "test_asyncio.test_sslproto",
            "test_asyncio.test_ssl",
            "test_asyncio.test_streams",
        ],
    ];
    compare_whole("cpython-asyncio", Expect::BothWays, None, |stage| outcomes(stage, &groups));
}

#[test]
fn tls_and_servers() {
    let groups: [&[&str]; 2] = [
        &["test_ssl"],
        &[
            "test_ftplib",
            "test_httplib",
            "test_httpservers",
            "test_urllib2_localnet",
            "test_smtplib",
            "test_poplib",
            "test_nntplib",
            "test_telnetlib",
            "test_wsgiref",
        ],
    ];
    compare_whole("cpython-servers", Expect::OneWay, None, |stage| outcomes(stage, &groups));
}

/// Modules that take minutes, or use sockets only now and then: `cargo test -p vmmc-tests --test suites_cpython -- --ignored`.
#[test]
#[ignore = "takes half an hour"]
fn the_rest() {
    let groups: [&[&str]; 4] = [
        &["test_imaplib", "test_xmlrpc", "test_docxmlrpc", "test_smtpd", "test_logging"],
        &["test_asyncio.test_subprocess", "test_asyncio.test_tasks", "test_asyncio.test_runners", "test_subprocess"],
        &[
            "test_os",
            "test_posix",
            "test_fcntl",
            "test_fork1",
            "test_signal",
            "test_io",
            "test_eintr",
            "test_threading",
        ],
        &["test_multiprocessing_fork", "test_multiprocessing_spawn", "test_concurrent_futures"],
    ];
    compare_whole("cpython-rest", Expect::Anything, None, |stage| outcomes(stage, &groups));
}
