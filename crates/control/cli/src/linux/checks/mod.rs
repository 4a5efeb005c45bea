//! What `vmmc doctor` examines.

mod machine;
mod memory;
mod socket;
mod software;
mod trip;

use super::{elf, program};
use crate::doctor::check::Check;
use std::ffi::OsStr;

/// The checks, in the order in which one would look: what the machine is, what it allows, what is installed, the trial.
pub(crate) const CHECKS: [fn() -> Check; 16] = [
    machine::architecture,
    machine::kernel,
    machine::c_library,
    machine::processors,
    memory::sealing,
    memory::available,
    memory::file_size,
    memory::descriptors,
    socket::byte_counts,
    socket::namespace_cookie,
    software::processes,
    software::library,
    software::runtime_directory,
    software::policy,
    software::broker,
    trip::both_directions,
];

/// What a program's file says.
pub(crate) fn of_program(name: &OsStr) -> Vec<Check> {
    const NAME: &str = "program";
    let Ok(path) = program::find(name) else {
        let why = format!("{} is no program that can be run", name.to_string_lossy());
        return vec![Check::fail(NAME, why, "Name it as you would to start it.")];
    };
    let found = path.display();
    vec![match elf::inspect(&path).why() {
        None => Check::ok(NAME, format!("{found} takes the library")),
        Some(why) => Check::fail(
            NAME,
            format!("{found} {why}"),
            "Nothing: it runs under vmmc all the same, on the kernel's TCP.",
        ),
    }]
}
