//! LuaSocket's own test suite: its server at one end, its client at the other, as its authors run it.

use std::time::Duration;

use vmmc_tests_windows::{Stage, compare, programs};

const PORT: u16 = 8383;
const LIMIT: Duration = Duration::from_secs(240);
/// How often it is played until it comes to its end.
const PLAYS_MAX: u32 = 3;

#[test]
fn its_own_suite() {
    let lua = programs::lua();
    compare("luasocket", &lua.files(), |stage| {
        // It measures seconds, and on a machine with other work to do they differ.
        let done = (0..PLAYS_MAX).map(|_| play(stage, &lua)).find(|said| said.contains("testing: done in"));
        let said = done.unwrap_or_else(|| panic!("the suite did not come to its end:\n{}", play(stage, &lua)));
        said.lines().filter_map(verdict).collect::<Vec<_>>().join("\n")
    });
}

/// One run of the suite; what its client said.
fn play(stage: &Stage, lua: &programs::Lua) -> String {
    let script = |name: &str| programs::windows_path(&lua.suite().join(name));
    let set = format!("host='127.0.0.1' port={PORT}");
    let server = ["lua.exe", "-e", &set, &script("testsrvr.lua")];
    let mut server = lua.modules(stage.server(&server)).limit(LIMIT).start();
    stage.await_listener(&mut server, PORT);
    let client = ["lua.exe", "-e", &set, &script("testclnt.lua")];
    lua.modules(stage.client(&client)).limit(LIMIT).finish().stderr
}

/// What a line says of the library and not of the clock. Whether a pause is longer than a timeout is seen on an idle machine alone;
/// what is improper ends the suite.
fn verdict(line: &str) -> Option<String> {
    let from_wine = line.contains(":trace:") || line.contains(":loaddll:");
    let timed = line.starts_with("testing: done") || line.contains("seconds") || line.contains("elapsed");
    let line = line.split_once("s pause: ").map_or(line, |(what, _)| what);
    (!from_wine && !timed && !line.trim().is_empty()).then(|| line.trim_end().to_owned())
}
