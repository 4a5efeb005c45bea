//! Many connections at once, and ends that are killed: scripts for LuaSocket, with the DLL at both ends, at one, at none.

use std::thread::sleep;
use std::time::{Duration, Instant};

use vmmc_tests_windows::{Ends, Launch, Program, Stage, compare, kernel_road_only, programs};

const PORT: u16 = 9200;
const LIMIT: Duration = Duration::from_secs(120);
/// How long a program may take to say what it is to say.
const SAY_LIMIT: Duration = Duration::from_secs(60);

/// Accepts `arg[1]` connections, then echoes a line of each in turn, over and over until all have ended.
const CROWD_SERVER: &str = r#"
local socket = require("socket")
local listener = assert(socket.bind("127.0.0.1", 9200, 600))
local clients = {}
for at = 1, tonumber(arg[1]) do clients[at] = assert(listener:accept()) end
print("accepted", #clients)
local lines, ended = 0, 0
while ended < #clients do
  for at, client in ipairs(clients) do
    local line, problem = client:receive()
    if line then assert(client:send(line .. "\n")); lines = lines + 1
    else assert(problem == "closed", problem); ended = ended + 1 end
  end
end
print("echoed", lines)
"#;

/// Opens `arg[1]` connections, and sends lines of growing length over each of them in turn.
const CROWD_CLIENT: &str = r#"
local socket = require("socket")
local servers = {}
for at = 1, tonumber(arg[1]) do servers[at] = assert(socket.connect("127.0.0.1", 9200)) end
for round = 1, 5 do
  for at, server in ipairs(servers) do
    local line = string.rep(string.char(97 + at % 26), round * round * 40) .. at
    assert(server:send(line .. "\n"))
    servers[-at] = line
  end
  for at, server in ipairs(servers) do
    local answer = assert(server:receive())
    assert(answer == servers[-at], "a wrong answer")
  end
end
for at, server in ipairs(servers) do server:close() end
print("all answered")
"#;

/// Echoes lines, one client after the other, and says when each of them ends; once the file `arg[1]` is there it only sleeps.
const ECHO_SERVER: &str = r#"
local socket = require("socket")
io.stdout:setvbuf("no")
local listener = assert(socket.bind("127.0.0.1", 9200))
while true do
  local client = assert(listener:accept())
  local line = client:receive()
  while line do
    line = client:send(line .. "\n")
    if arg[1] and io.open(arg[1]) then
      print("asleep")
      while true do socket.sleep(0.1) end
    end
    if line then line = client:receive() end
  end
  print("a client ended")
  client:close()
end
"#;

/// Sends lines and awaits each back, until the file `arg[1]` is there or the server ends. Then it says so, and sleeps if there
/// is an `arg[2]`.
const ECHO_CLIENT: &str = r#"
local socket = require("socket")
io.stdout:setvbuf("no")
local server = assert(socket.connect("127.0.0.1", 9200))
local done, answer, enough = 0, nil, nil
repeat
  local line = "line " .. done
  answer = server:send(line .. "\n") and server:receive()
  if answer then assert(answer == line) end
  done = done + 1
  if done == 10 then print("talking") end
  enough = io.open(arg[1])
until enough or not answer
print(answer and "enough" or "the server ended")
while arg[2] do socket.sleep(0.1) end
"#;

/// The file that tells a program that it has exchanged enough, of the given number.
fn enough(stage: &Stage, number: u32) -> String {
    programs::stage_path(stage, &format!("enough-{number}"))
}

/// Tells it, once bytes have moved over VMMC both ways.
fn tell_enough(stage: &Stage, number: u32) {
    stage.await_both_ways();
    let _ = stage.write(&format!("enough-{number}"), "");
}

fn script(
    stage: &Stage,
    lua: &programs::Lua,
    launch: impl Fn(&[&str]) -> Launch,
    text: &str,
    words: &[&str],
) -> Launch {
    let name = format!("script-{}.lua", text.len());
    let _ = stage.write(&name, text);
    lua.modules(launch(&[&["lua.exe", &programs::stage_path(stage, &name)], words].concat())).limit(LIMIT)
}

/// Waits until a program has said this.
fn await_words(program: &mut Program, words: &str) {
    let began = Instant::now();
    while !program.output().contains(words) {
        assert!(program.is_alive() && began.elapsed() < SAY_LIMIT, "not said: {words}\n{}", program.logs());
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn five_hundred_connections() {
    let lua = programs::lua();
    compare("crowd", &lua.files(), |stage| {
        let mut server = script(stage, &lua, |words| stage.server(words), CROWD_SERVER, &["500"]).start();
        stage.await_listener(&mut server, PORT);
        let client = script(stage, &lua, |words| stage.client(words), CROWD_CLIENT, &["500"]).run();
        let server = server.finish();
        assert!(server.status.success(), "{}", server.stdout);
        format!("{client}{}", server.stdout)
    });
}

// An end is killed while it sleeps: Wine 8 keeps the socket of a process open that is killed in the middle of a receive, and
// without the DLL no peer ever hears of that.

#[test]
fn a_killed_client_is_seen_by_its_server_which_serves_the_next() {
    let lua = programs::lua();
    compare("killed-client", &lua.files(), |stage| {
        let mut server = script(stage, &lua, |words| stage.server(words), ECHO_SERVER, &[]).start();
        stage.await_listener(&mut server, PORT);
        let client = |words: &[&str]| script(stage, &lua, |words| stage.client(words), ECHO_CLIENT, words);
        for ended in 1..=3 {
            let mut client = client(&[&enough(stage, ended), "stay"]).start();
            await_words(&mut client, "talking");
            tell_enough(stage, ended);
            await_words(&mut client, "enough");
            client.kill();
            await_words(&mut server, &"a client ended\r\n".repeat(ended as usize));
        }
        let last = client(&[&enough(stage, 3)]).run();
        await_words(&mut server, &"a client ended\r\n".repeat(4));
        format!("{last}{}", server.output())
    });
}

#[test]
fn a_killed_server_is_seen_by_its_client() {
    let lua = programs::lua();
    compare("killed-server", &lua.files(), |stage| {
        let mut server = script(stage, &lua, |words| stage.server(words), ECHO_SERVER, &[&enough(stage, 1)]).start();
        stage.await_listener(&mut server, PORT);
        let mut client = script(stage, &lua, |words| stage.client(words), ECHO_CLIENT, &[&enough(stage, 2)]).start();
        await_words(&mut client, "talking");
        tell_enough(stage, 1);
        await_words(&mut server, "asleep");
        server.kill();
        client.finish().stdout
    });
}

/// Without the DLL at both ends this hangs: see above.
#[test]
fn a_client_that_is_killed_while_it_receives_is_seen_by_its_server() {
    if kernel_road_only() {
        return;
    }
    for how in ["recv", "select"] {
        let stage = Stage::new("killed-receiver", Ends::Both, &[&programs::app("pending.exe")]);
        let port = PORT.to_string();
        let mut server = stage.server(&["pending.exe", "server", &port, how]).limit(LIMIT).start();
        stage.await_listener(&mut server, PORT);
        let mut client = stage.client(&["pending.exe", "client", &port, &enough(&stage, 1)]).limit(LIMIT).start();
        tell_enough(&stage, 1);
        await_words(&mut client, "receiving");
        client.kill();
        let server = server.finish();
        assert!(server.status.success() && server.stdout.contains("the client has gone"), "{how}: {}", server.stdout);
    }
}

#[test]
fn the_end_is_told_after_the_bytes() {
    compare("closing", &[&programs::app("closing.exe")], |stage| {
        let port = PORT.to_string();
        let told = |how| {
            let mut server = stage.server(&["closing.exe", "server", &port]).limit(LIMIT).start();
            stage.await_listener(&mut server, PORT);
            let client = stage.client(&["closing.exe", "client", &port, "300", how]).limit(LIMIT).run();
            assert!(server.finish().status.success());
            client
        };
        ["window", "event"].map(told).concat()
    });
}
