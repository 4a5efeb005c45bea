//! A web server of threads (civetweb) and a client (LuaSocket's), with nothing between them and with a forwarder (rinetd).

use std::path::Path;
use std::time::Duration;

use vmmc_tests_windows::{Program, Stage, compare, programs};

const WEB_PORT: u16 = 8888;
const FORWARDED_PORT: u16 = 8889;
const LIMIT: Duration = Duration::from_secs(120);

/// Asks for every file, and says what came. `arg[1]` is the port, the rest are names.
const CLIENT: &str = r#"
local http, ltn12 = require("socket.http"), require("ltn12")
local function sum(text)
  local a, b = 1, 0
  for at = 1, #text do a = (a + text:byte(at)) % 65521; b = (b + a) % 65521 end
  return string.format("%d.%d", a, b)
end
for at = 2, #arg do
  local parts = {}
  local url = "http://127.0.0.1:" .. arg[1] .. "/" .. arg[at]
  local ok, code, headers = http.request{ url = url, sink = ltn12.sink.table(parts) }
  local body = table.concat(parts)
  print(arg[at], code, headers and headers["content-length"], #body, sum(body))
end
"#;

const FILES: [(&str, usize); 4] = [("empty", 0), ("small", 1000), ("middle", 100_000), ("large", 1_000_000)];

/// Bytes that repeat only after a long while.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

fn start_server(stage: &Stage) -> Program {
    std::fs::create_dir(stage.path("site")).expect("a directory for the site");
    for (name, length) in FILES {
        let _ = stage.write(&format!("site/{name}"), content(length));
    }
    let mut server = stage.server(&["civetweb.exe"]).directory(&stage.path("site")).limit(LIMIT).start();
    stage.await_listener(&mut server, WEB_PORT);
    server
}

/// Fetches all files twice, and something that is not there.
fn fetch_all(stage: &Stage, lua: &programs::Lua, port: u16) -> String {
    let _ = stage.write("client.lua", CLIENT);
    let (script, port) = (programs::stage_path(stage, "client.lua"), port.to_string());
    let names: Vec<&str> = FILES.iter().chain(&FILES).map(|(name, _)| *name).chain(["nowhere"]).collect();
    let said = lua.modules(stage.client(&[&["lua.exe", &script, &port], &names[..]].concat())).limit(LIMIT).run();
    for (name, length) in FILES {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}:\n{said}"));
        assert!(line.contains(&format!("\t{length}\t")) && line.contains("\t200\t"), "{said}");
    }
    said
}

fn with<'a>(lua: &'a programs::Lua, others: &[&'a Path]) -> Vec<&'a Path> {
    [&lua.files()[..], others].concat()
}

#[test]
fn files() {
    let (lua, civetweb) = (programs::lua(), programs::civetweb());
    compare("web", &with(&lua, &[&civetweb]), |stage| {
        let _server = start_server(stage);
        fetch_all(stage, &lua, WEB_PORT)
    });
}

#[test]
fn files_through_a_forwarder() {
    let (lua, civetweb, rinetd) = (programs::lua(), programs::civetweb(), programs::rinetd());
    compare("forwarder", &with(&lua, &[&civetweb, &rinetd]), |stage| {
        let _server = start_server(stage);
        let rule = format!("127.0.0.1 {FORWARDED_PORT} 127.0.0.1 {WEB_PORT}\n");
        let _ = stage.write("rinetd.conf", rule);
        let configuration = programs::stage_path(stage, "rinetd.conf");
        let mut forwarder = stage.server(&["rinetd.exe", "-f", "-c", &configuration]).limit(LIMIT).start();
        stage.await_listener(&mut forwarder, FORWARDED_PORT);
        fetch_all(stage, &lua, FORWARDED_PORT)
    });
}
