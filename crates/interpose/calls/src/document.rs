//! The table as documentation.

use crate::{Class, FEATURES, Fate, Part, Road, Row, TABLE};
use core::fmt::Write;

/// `docs/compatibility.md`, as it must stand in the repository.
#[must_use]
pub fn compatibility() -> String {
    let mut text = String::from(OPENING);
    for fate in Fate::ALL {
        let _ = writeln!(text, "| *{}* | {} |", fate.word(), fate.sentence());
    }
    for class in Class::ALL {
        let _ = write!(text, "\n## {}\n\n| function | fate | note |\n| --- | --- | --- |\n", class.heading());
        for row in TABLE.iter().filter(|row| row.class == *class) {
            let names: Vec<String> = row.names().map(|name| format!("`{name}`")).collect();
            let Row { fate, note, .. } = row;
            let _ = writeln!(text, "| {} | *{}* | {note} |", names.join(" "), fate.word());
        }
    }
    text.push_str(FEATURES_OPENING);
    for road in Road::ALL {
        let _ = writeln!(text, "| *{}* | {} |", road.word(), road.sentence());
    }
    for part in Part::ALL {
        let _ = write!(
            text,
            "\n## {}\n\n| what | road | note | compared by |\n| --- | --- | --- | --- |\n",
            part.heading()
        );
        for feature in FEATURES.iter().filter(|feature| feature.part == *part) {
            let (names, proof) = (feature.names.join(", "), feature.proof.join(", "));
            let _ = writeln!(text, "| {names} | *{}* | {} | {proof} |", feature.road.word(), feature.note);
        }
    }
    text
}

const FEATURES_OPENING: &str = "
# Flags, options and uses, and the road of each

Written from the table in `crates/interpose/calls/src/features.rs`. *Compared by* names the programs of `tests/apps` that do it on the
kernel road and in three ways under `vmmc run`, and must say the same.

| road | meaning |
| --- | --- |
";

const OPENING: &str = "\
# Compatibility: the C library's functions, and the fate of each

Written from the table in `crates/interpose/calls/src/table.rs` (`cargo run -p vmmc-calls --example compatibility` prints it);
a test compares the two. Every function that takes or makes a descriptor is here. What a fate says is what happens on a TCP
connection; on any other descriptor every function is the C library's own.

An address that no program can have (below 64 KiB, beyond the user's half, wrapping) fails with `EFAULT` as the kernel's call does. One
whose page is merely not mapped, or not writable, faults in the program where its bytes go through memory; the kernel would
say `EFAULT`.

| fate | meaning |
| --- | --- |
";
