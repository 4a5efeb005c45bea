//! Windows, and Wine.

pub(crate) mod bench;
pub(crate) mod checks;
mod floor;
pub(crate) mod launch;
mod library;
pub(crate) mod runtime;
mod section;
pub(crate) mod tables;
