//! Linux.

mod addresses;
pub(crate) mod checks;
mod elf;
pub(crate) mod launch;
mod library;
mod program;
pub(crate) mod runtime;
pub(crate) mod tables;
