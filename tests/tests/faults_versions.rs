//! One end is of another version: of the slots' words, which the broker sees when it compares the ends, or of the messages, which
//! that end itself sees when it speaks to the broker. It stays on the kernel road and says why; not a byte is lost.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use vmmc_tests::{Ends, Launch, Stage, net};

const LOAD: &str = env!("CARGO_BIN_EXE_load");
const PLAYS_MAX: u32 = 8;
const LIMIT: Duration = Duration::from_secs(60);

/// The library, built with the next version number of `what`.
fn library_of_next(what: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = root.join("target/next").join(what);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", "vmmc-preload", "--target-dir"]).arg(&target).current_dir(&root);
    cargo.env("RUSTFLAGS", format!("--cfg vmmc_next=\"{what}\"")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    assert!(cargo.status().is_ok_and(|status| status.success()), "{cargo:?}");
    target.join("debug/libvmmc.so")
}

/// Which ends have the library of the next version.
fn play(what: &str, next: Ends) {
    let stage = Stage::new(&format!("next-{what}"), Ends::Both, None);
    let library = library_of_next(what);
    let at = |launch: Launch, is_next: bool| match is_next {
        true => launch.env("VMMC_LIBRARY", &library).limit(LIMIT * 2),
        false => launch.limit(LIMIT * 2),
    };
    let port = net::free_port();
    let mut server = at(stage.server(&[LOAD, "serve", &port.to_string()]), next.server()).start();
    net::await_listener(&mut server, port);
    // Again on a machine that is too slow to look in between.
    let is_said = (0..PLAYS_MAX).any(|_| {
        let words = [LOAD, "drive", &port.to_string(), "4", "4000", "3"];
        let mut client = at(stage.client(&words), next.client()).start();
        let mut is_said = false;
        while client.is_alive() && !is_said {
            is_said = stage.status().reasons().contains("version");
            sleep(Duration::from_millis(20));
        }
        let client = client.finish();
        assert_eq!(client.stdout, "end\n".repeat(4), "{}", client.stderr);
        is_said
    });
    assert!(is_said, "{what}, {next:?}: nobody says `version`:\n{}", stage.last_seen());
    assert!(!server.output().contains("WRONG"), "{}", server.logs());
    assert!(!stage.moved().one_way, "{what}, {next:?}: they were paired:\n{}", stage.last_seen());
}

#[test]
fn ends_whose_slots_differ_stay_apart() {
    // Both of the next version: then it is the broker who is the older one.
    for next in [Ends::ClientOnly, Ends::ServerOnly, Ends::Both] {
        play("layout", next);
    }
}

#[test]
fn an_end_that_speaks_otherwise_than_the_broker_stays_apart() {
    for next in [Ends::ClientOnly, Ends::ServerOnly] {
        play("protocol", next);
    }
}
