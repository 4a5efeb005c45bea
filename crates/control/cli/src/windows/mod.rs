//! Windows, and Wine.

pub(crate) mod checks;
pub(crate) mod launch;
mod library;
mod program;
pub(crate) mod runtime;
mod section;
pub(crate) mod tables;
