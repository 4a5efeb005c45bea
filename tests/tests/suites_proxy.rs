//! HAProxy in front of nginx, kept alive and not; nginx that reads its configuration anew while it is asked.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use vmmc_tests::{Expect, Program, Stage, compare_whole, compare_with, net};

const LARGE: usize = 7 * 1024 * 1024 + 3;

/// Bytes that repeat only after a long while.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

fn nginx(stage: &Stage) -> (Program, u16) {
    let port = net::free_port();
    let _ = (stage.write("small", content(600)), stage.write("large", content(LARGE)));
    let directory = stage.directory().display();
    let configuration = format!(
        "daemon off; user root; worker_processes 2; pid {directory}/pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000; sendfile on;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  server {{ listen 127.0.0.1:{port} reuseport; root {directory}; }}
}}"
    );
    let file = stage.write("nginx.conf", configuration);
    let words = ["nginx", "-p", &directory.to_string(), "-e", "stderr", "-c", &file.to_string_lossy()];
    let mut server = stage.server(&words).start();
    net::await_listener(&mut server, port);
    (server, port)
}

fn haproxy(stage: &Stage, behind: u16, mode: &str) -> (Program, u16) {
    let port = net::free_port();
    let configuration = format!(
        "global\n  maxconn 500\n  nbthread 2\ndefaults\n  mode http\n  {mode}\n  timeout connect 60s\n  timeout client 120s\n  \
         timeout server 120s\nfrontend f\n  bind 127.0.0.1:{port}\n  default_backend b\nbackend b\n  server s 127.0.0.1:{behind}\n"
    );
    let file = stage.write("haproxy.cfg", configuration);
    let mut proxy = stage.server(&["haproxy", "-db", "-f", &file.to_string_lossy()]).start();
    net::await_listener(&mut proxy, port);
    (proxy, port)
}

/// wrk for a second: no error of any kind.
fn wrk(stage: &Stage, url: &str, header: &str) {
    let words = ["wrk", "-t", "2", "-c", "24", "-d", "1", "--timeout", "60s", "-H", header, url];
    let report = stage.client(&words).run();
    assert!(report.contains("Requests/sec") && !report.contains("errors") && !report.contains("Non-2xx"), "{report}");
}

/// wrk until `vmmc status` has shown one of its connections: those of the scenario itself may end before anybody looks.
fn look_while_busy(stage: &Stage, url: &str) {
    let words = ["wrk", "-t", "1", "-c", "4", "-d", "200", "--timeout", "60s", url];
    let _busy = stage.client(&words).start();
    stage.await_both_ways(Duration::from_secs(180));
}

/// Through the proxy: many at once, and large ones that are looked at.
fn through_haproxy(stage: &Stage, mode: &str) -> String {
    let (_nginx, behind) = nginx(stage);
    let (_haproxy, port) = haproxy(stage, behind, mode);
    let url = format!("http://127.0.0.1:{port}");
    look_while_busy(stage, &format!("{url}/small"));
    wrk(stage, &format!("{url}/small"), "Connection: keep-alive");
    wrk(stage, &format!("{url}/small"), "Connection: close");
    let mut said = String::new();
    for round in 0..3 {
        let files: Vec<String> = (0..6).map(|number| format!("got-{round}-{number}")).collect();
        let mut words = vec!["curl", "-sS", "--fail", "-w", "%{http_code} %{size_download}\n"];
        let (small, large) = (format!("{url}/small"), format!("{url}/large"));
        for (number, file) in files.iter().enumerate() {
            words.extend(["-o", file, if number % 2 == 0 { &small } else { &large }]);
        }
        said += &stage.client(&words).run();
        for (number, file) in files.iter().enumerate() {
            let got = std::fs::read(stage.path(file)).expect("what curl got");
            assert!(got == content(if number % 2 == 0 { 600 } else { LARGE }), "{file} differs");
        }
    }
    said
}

#[test]
fn haproxy_with_keep_alive() {
    compare_whole("haproxy-keep-alive", Expect::BothWays, None, |stage| {
        through_haproxy(stage, "option http-keep-alive")
    });
}

#[test]
fn haproxy_that_closes_towards_nginx() {
    compare_whole("haproxy-close", Expect::BothWays, None, |stage| through_haproxy(stage, "option http-server-close"));
}

#[test]
fn haproxy_as_a_tunnel() {
    compare_whole("haproxy-tcp", Expect::BothWays, None, |stage| through_haproxy(stage, "mode tcp"));
}

/// While two clients ask for one file after another, nginx replaces its workers again and again: nobody notices.
#[test]
fn nginx_reload_under_load() {
    compare_with("nginx-reload", Expect::BothWays, None, |stage| {
        let (nginx, port) = nginx(stage);
        let client = |number: u32| {
            // curl takes up another connection where the server has closed an idle one; each request must succeed.
            let url = format!("http://127.0.0.1:{port}/small?[1-{}]", 6000 + number);
            stage
                .client(&["curl", "-sS", "--fail", "-o", "/dev/null", "-w", "%{http_code}\n", &url])
                .limit(Duration::from_secs(600))
                .start()
        };
        let mut clients = [client(0), client(1)];
        let (began, mut reloads) = (Instant::now(), 0);
        while clients.iter_mut().any(Program::is_alive) && began.elapsed() < Duration::from_secs(600) {
            let done = Command::new("kill").args(["-HUP", &nginx.pid().to_string()]).status();
            assert!(done.is_ok_and(|status| status.success()));
            reloads += 1;
            std::thread::sleep(Duration::from_millis(300));
        }
        assert!(reloads > 0);
        let mut said = String::new();
        for client in clients {
            let finished = client.finish();
            let answers = finished.stdout.lines().filter(|line| *line == "200").count();
            let _ = writeln!(said, "{} {answers} {}", finished.status, finished.stderr);
        }
        said
    });
}
