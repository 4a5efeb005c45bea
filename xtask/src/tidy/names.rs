//! Names that may not stand in some rooms, each with what to use instead.

use super::Complaint;
use super::source::{Source, find_word, line_of};

/// Where code may ask which system it is compiled for: base/os, and single files outside of it, each with its reason.
const SYSTEMS: &[&str] = &[
    "crates/base/os/",
    // The whole room is Windows'.
    "crates/interpose/wsock32/src/lib.rs",
    // The socket layer leaves out what one system has no word for.
    "crates/socket/src/lib.rs",
    "crates/socket/src/lifecycle.rs",
    "crates/socket/src/wait/mod.rs",
    // The command's folder of what only one system has.
    "crates/control/cli/src/main.rs",
    // The benchmark's folder of what only one system has.
    "crates/bench/src/lib.rs",
    // A plain program's socket has another type on each system.
    "crates/control/broker/tests/both_systems.rs",
    "crates/socket/src/tests.rs",
];

/// Where `unsafe` may stand: rooms (ending in `/`), and single files outside of them.
const UNSAFE: &[&str] = &[
    "crates/base/os/",
    "crates/base/sync/",
    "crates/vmmc/shm/",
    "crates/interpose/preload/",
    "crates/interpose/wsock32/",
    "crates/socket/",
    // The command's entry, its exec, questions to the C library, and a look at another process's memory.
    "crates/control/cli/src/main.rs",
    "crates/control/cli/src/linux/launch.rs",
    "crates/control/cli/src/linux/checks/machine.rs",
    "crates/control/cli/src/linux/checks/socket.rs",
    "crates/control/cli/src/windows/section.rs",
    // The benchmark issues the plain socket calls that it measures, and asks for clocks.
    "crates/bench/",
];
const UNSAFE_INSTEAD: &str =
    "no room for `unsafe`: call what base/os, vmmc/shm or rustix offer, or list the file in xtask with its reason";

/// Rooms whose code runs in other people's processes.
const GUEST: &[&str] = &[
    "crates/base/",
    "crates/vmmc/contract/",
    "crates/vmmc/shm/",
    "crates/stream/",
    "crates/socket/",
    "crates/interpose/calls/",
    "crates/interpose/preload/",
    "crates/interpose/wsock32/src/",
    "crates/interpose/wsock32/generated/",
    "crates/control/protocol/",
];

/// What may not stand in the guest's process, and why or what to use instead.
const BANNED: &[(&str, &str)] = &[
    ("std::net", "it would call the symbols that we export; use vmmc_os or rustix"),
    ("std::fs", "it would call the symbols that we export; use vmmc_os or rustix"),
    ("println!", "the guest's output is the guest's; count a reason that `vmmc status` shows"),
    ("print!", "the guest's output is the guest's; count a reason that `vmmc status` shows"),
    ("eprintln!", "the guest's output is the guest's; count a reason that `vmmc status` shows"),
    ("eprint!", "the guest's output is the guest's; count a reason that `vmmc status` shows"),
    ("dbg!", "the guest's output is the guest's"),
    (".unwrap()", "a broken invariant fails that connection, never the guest; return an error"),
    (".expect(", "a broken invariant fails that connection, never the guest; return an error"),
    ("panic!", "a broken invariant fails that connection, never the guest; return an error"),
    ("todo!", "finish it, or return an error"),
    ("unimplemented!", "finish it, or return an error"),
    ("unreachable!", "let the types say so, or return an error"),
    ("SystemTime", "that clock jumps when somebody sets it; use vmmc_os::clock"),
    ("CLOCK_REALTIME", "that clock jumps when somebody sets it; use vmmc_os::clock"),
    ("std::sync::atomic", "atomics come through vmmc_sync, so that loom can check them"),
];

/// The atomics' own door.
const ATOMICS_ROOM: &str = "crates/base/sync/";

pub(crate) fn systems(source: &Source) -> Vec<Complaint> {
    let Some(code) = source.product_code() else { return Vec::new() };
    if SYSTEMS.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    let words = ["target_os", "target_family", "cfg(unix)", "cfg(windows)"];
    complaints(source, &code, &words, "what differs between systems stands in crates/base/os; call that")
}

pub(crate) fn unsafe_rooms(source: &Source) -> Vec<Complaint> {
    let Some(code) = source.product_code().filter(|_| !source.is_test()) else { return Vec::new() };
    if UNSAFE.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    complaints(source, &code, &["unsafe"], UNSAFE_INSTEAD)
}

pub(crate) fn banned(source: &Source) -> Vec<Complaint> {
    let in_guest = GUEST.iter().any(|room| source.path.starts_with(room)) && !source.is_test();
    let Some(code) = source.product_code().filter(|_| in_guest) else { return Vec::new() };
    let allowed = |name: &str| name == "std::sync::atomic" && source.path.starts_with(ATOMICS_ROOM);
    let names = BANNED.iter().filter(|(name, _)| !allowed(name));
    names
        .flat_map(|(name, instead)| {
            complaints(source, &code, &[name], &format!("`{name}` in the guest's process: {instead}"))
        })
        .collect()
}

/// A complaint for each place at which one of the words stands.
fn complaints(source: &Source, code: &str, words: &[&str], message: &str) -> Vec<Complaint> {
    let places = words.iter().flat_map(|word| find_word(code, word));
    places
        .map(|at| Complaint { file: source.path.clone(), line: line_of(code, at), message: message.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path.into(), text.into())
    }

    #[test]
    fn a_panic_in_the_guest_is_found_and_one_in_a_test_is_not() {
        let text = "fn a() {\n    panic!(\"x\")\n}\n#[cfg(test)]\nmod tests { fn b() { c().unwrap(); } }\n";
        let found = banned(&source("crates/stream/src/lib.rs", text));
        assert_eq!(found.iter().map(|complaint| complaint.line).collect::<Vec<_>>(), [2]);
        assert!(banned(&source("crates/bench/src/lib.rs", text)).is_empty());
    }

    #[test]
    fn unsafe_outside_its_rooms_is_found_and_the_lint_of_that_name_is_not() {
        let text = "#![deny(unsafe_op_in_unsafe_fn)]\nfn a() { unsafe { b() } }\n";
        assert_eq!(unsafe_rooms(&source("crates/stream/src/lib.rs", text)).len(), 1);
        assert!(unsafe_rooms(&source("crates/base/os/src/lib.rs", text)).is_empty());
    }

    #[test]
    fn a_question_about_the_system_is_found_outside_its_room() {
        let text = "#[cfg(target_os = \"linux\")]\nfn a() {}\n";
        assert_eq!(systems(&source("crates/socket/src/send.rs", text)).len(), 1);
        assert!(systems(&source("crates/base/os/src/lib.rs", text)).is_empty());
    }
}
