//! nginx: workers forked from a master, edge-triggered epoll, sendfile and writev, TLS; asked by wrk and curl.

use vmmc_tests::{Program, Stage, compare, net};

const SMALL: usize = 1024;
const LARGE: usize = 24 * 1024 * 1024 + 17;

/// A running nginx and its address.
struct Nginx {
    _server: Program,
    url: String,
}

/// Bytes that repeat only after a long while.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

fn start(stage: &Stage, tls: bool, more: &str) -> Nginx {
    let port = net::free_port();
    let _ = (stage.write("small", content(SMALL)), stage.write("large", content(LARGE)));
    let listen = if tls { certificate(stage) } else { String::new() };
    let directory = stage.directory().display();
    let scheme = if tls { "ssl" } else { "" };
    let configuration = format!(
        "daemon off; user root; worker_processes 2; pid {directory}/pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000; tcp_nopush on; {more}
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  server {{ listen 127.0.0.1:{port} {scheme}; {listen} root {directory}; }}
}}"
    );
    let file = stage.write("nginx.conf", configuration);
    let mut server =
        stage.server(&["nginx", "-p", &directory.to_string(), "-e", "stderr", "-c", &file.to_string_lossy()]).start();
    net::await_listener(&mut server, port);
    Nginx { _server: server, url: format!("http{}://127.0.0.1:{port}", if tls { "s" } else { "" }) }
}

/// Makes a certificate and returns the lines of configuration that use it.
fn certificate(stage: &Stage) -> String {
    let (key, certificate) = (stage.path("key.pem"), stage.path("cert.pem"));
    let (key, certificate) = (key.to_string_lossy(), certificate.to_string_lossy());
    let words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"];
    let more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", &key, "-out", &certificate];
    let _ = stage.plain(&[&words[..], &more[..]].concat()).run();
    format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
}

/// wrk for a second: no error of any kind.
fn wrk(stage: &Stage, nginx: &Nginx) {
    let report = stage
        .client(&["wrk", "-t", "2", "-c", "32", "-d", "1", "--timeout", "60s", &format!("{}/small", nginx.url)])
        .run();
    assert!(report.contains("Requests/sec") && !report.contains("errors") && !report.contains("Non-2xx"), "{report}");
}

/// curl, many files over one connection; each is what nginx was given.
fn curl(stage: &Stage, nginx: &Nginx) -> String {
    let certificate = stage.path("cert.pem");
    let mut words: Vec<String> = ["curl", "-sS", "--fail", "--cacert"].map(str::to_owned).to_vec();
    words.push(certificate.to_string_lossy().into_owned());
    words.extend(["-w".to_owned(), "%{num_connects} %{http_code} %{size_download}\n".to_owned()]);
    let names: Vec<&str> = (0..40).map(|number| if number % 10 == 5 { "large" } else { "small" }).collect();
    for (number, name) in names.iter().enumerate() {
        words.extend(["-o".to_owned(), format!("got-{number}"), format!("{}/{name}", nginx.url)]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let report = stage.client(&words).run();
    for (number, name) in names.iter().enumerate() {
        let got = std::fs::read(stage.path(&format!("got-{number}"))).expect("what curl got");
        assert!(got == content(if *name == "large" { LARGE } else { SMALL }), "file {number} ({name}) differs");
    }
    report
}

fn wrk_and_curl(name: &str, tls: bool, more: &str) {
    compare(name, |stage| {
        let nginx = start(stage, tls, more);
        wrk(stage, &nginx);
        curl(stage, &nginx)
    });
}

#[test]
fn with_sendfile() {
    wrk_and_curl("nginx-sendfile", false, "sendfile on;");
}

#[test]
fn without_sendfile() {
    wrk_and_curl("nginx-writev", false, "sendfile off;");
}

#[test]
fn over_tls() {
    wrk_and_curl("nginx-tls", true, "sendfile on;");
}
