//! Writes wrappers of Windows DLLs: a DLL with every export of an original, under its own name and ordinal, of which some are
//! intercepted and all others reach the original.
//!
//! It runs where a wrapper is built, never in a program's process; it builds nothing itself. The command `stubgen`
//! and its own tests call it. It stands on `object` for DLLs and on mingw-w64's compilers for headers.
//!
//! # The seam to a wrapper
//!
//! `stubgen generate` writes three files, which the wrapper's crate takes as they are (here from `generated/`):
//!
//! - `exports.def`: given to the linker by the crate's `build.rs`,
//!   `println!("cargo:rustc-cdylib-link-arg={}/generated/exports.def", env!("CARGO_MANIFEST_DIR"))`.
//! - `table.rs`: `#[path = "../generated/table.rs"] mod table;` with `table::EXPORTS`, a constant slice of every export by ordinal
//!   (name, [fate](plan::Fate), stack bytes, prototype), and `table::LIBRARY`.
//! - `stubs.rs`: `#[path = "../generated/stubs.rs"] mod stubs;` beside it, under the same parent, since it uses `super::table`.
//!   Nothing has to be called; `stubs::system_export(c"getsockopt")` gives the system's own function, by the whole path.
//!
//! For each name under `intercept`, the crate supplies `pub(crate) unsafe extern "system" fn NAME(…)` (or a safe one) in the
//! `module` that the wishes name, by definition or by `use`; it carries no `#[unsafe(no_mangle)]`, because that would be a
//! stray export. The number of its parameters (where a header knows it) and, in a 32-bit build, the bytes that it takes off
//! the stack are checked when it is compiled: a wrong signature does not build.
//!
//! The wishes ([`plan::Wishes`]) are a TOML file, `intercept.toml`. To intercept one more export: add its name there, write the
//! function, run `stubgen` again. [`compare::differences`] is the gate: exports of a built DLL against the table.

pub mod compare;
pub mod exports;
pub mod plan;
pub mod prototypes;
pub mod write;
