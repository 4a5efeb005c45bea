//! A Windows program whose peer is a program of Linux, outside of Wine: the one with the DLL and without, the other plain and
//! under `vmmc run`. Two libraries that meet like this have different brokers, and stay on the kernel's road.

use std::path::PathBuf;
use std::time::Duration;

use vmmc_tests_windows::{Ends, Launch, Linux, Stage, compare_with, programs};

const PORT: u16 = 8888;
const LIMIT: Duration = Duration::from_secs(240);
/// What is fetched: more than any queue of the kernel's takes.
const LENGTH: usize = 3_000_000;

/// Fetches `arg[1]` five times and says what came.
const CLIENT: &str = r#"
local http, ltn12 = require("socket.http"), require("ltn12")
for at = 1, 5 do
  local parts = {}
  local ok, code = http.request{ url = arg[1], sink = ltn12.sink.table(parts) }
  local body = table.concat(parts)
  local sum = 1
  for byte = 1, #body, 997 do sum = (sum * 31 + body:byte(byte)) % 65521 end
  print(code, #body, sum)
end
"#;

fn site(stage: &Stage) -> PathBuf {
    std::fs::create_dir(stage.path("site")).expect("a directory for the site");
    let content: Vec<u8> = (0..LENGTH as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
    let _ = stage.write("site/large", content);
    stage.path("site")
}

/// A program of Linux, by itself or under `vmmc run`.
fn native(stage: &Stage, linux: &Linux, enabled: bool, words: &[&str]) -> Launch {
    let launch =
        if enabled { linux.command(stage, &[&["run", "--strict", "--"], words].concat()) } else { stage.native(words) };
    launch.limit(LIMIT)
}

#[test]
fn a_server_under_wine_and_a_client_of_linux() {
    let civetweb = programs::civetweb();
    compare_with("native-client", &[Ends::ServerOnly], &[&civetweb], |stage| {
        let (site, linux) = (site(stage), Linux::new(stage));
        let mut server = stage.server(&["civetweb.exe"]).directory(&site).limit(LIMIT).start();
        stage.await_listener(&mut server, PORT);
        for enabled in [false, true] {
            let fetched = stage.path(&format!("fetched-{enabled}")).to_string_lossy().into_owned();
            let url = format!("http://127.0.0.1:{PORT}/large");
            let _ = native(stage, &linux, enabled, &["curl", "--silent", "--show-error", "-o", &fetched, &url]).run();
            let same = std::fs::read(&fetched).expect("a file") == std::fs::read(site.join("large")).expect("a file");
            assert!(same, "other bytes arrived, with the client enabled: {enabled}");
        }
        "fetched".to_owned()
    });
}

#[test]
fn a_client_under_wine_and_a_server_of_linux() {
    let lua = programs::lua();
    compare_with("native-server", &[Ends::ClientOnly], &lua.files(), |stage| {
        let (site, linux) = (site(stage), Linux::new(stage));
        let _ = stage.write("client.lua", CLIENT);
        let script = programs::stage_path(stage, "client.lua");
        let mut said = String::new();
        for (enabled, port) in [(false, PORT), (true, PORT + 1)] {
            let (number, directory) = (port.to_string(), site.to_string_lossy());
            let words = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", &directory, &number];
            let mut server = native(stage, &linux, enabled, &words).start();
            stage.await_listener(&mut server, port);
            let url = format!("http://127.0.0.1:{port}/large");
            let client = lua.modules(stage.client(&["lua.exe", &script, &url])).limit(LIMIT).run();
            assert_eq!(client.matches(&format!("200\t{LENGTH}\t")).count(), 5, "{client}");
            said.push_str(&client);
        }
        said
    });
}
