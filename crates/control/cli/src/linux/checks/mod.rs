//! What `vmmc doctor` examines.

mod machine;
mod memory;
mod socket;
mod software;
mod trip;

use crate::doctor::check::Check;

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
