//! What turns the sources of a wrapper into a package of its own. It stands on Rust's core library alone.

use crate::plan::Plan;

const BUILD: &str = r#"//! Gives the linker the table of exports.

fn main() {
    let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rerun-if-changed=src/exports.def");
    println!("cargo:rustc-cdylib-link-arg={directory}/src/exports.def");
}
"#;

/// The files beside the sources, by path.
pub(super) fn texts(plan: &Plan) -> [(&'static str, String); 3] {
    let library = &plan.library;
    let name = library.rsplit_once('.').map_or(library.as_str(), |(stem, _)| stem);
    // A crate's name has no other characters; whoever installs the wrapper gives it the original's name.
    let crate_name = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-', "_");
    let manifest = format!(
        "[package]\nname = \"{crate_name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [lib]\ncrate-type = [\"cdylib\"]\n\n\
         [profile.dev]\npanic = \"abort\"\n\n[profile.release]\npanic = \"abort\"\n\n[workspace]\n"
    );
    [("Cargo.toml", manifest), ("build.rs", BUILD.to_owned()), ("src/lib.rs", lib(plan))]
}

fn lib(plan: &Plan) -> String {
    // The module of what is intercepted, which the wrapper's author supplies.
    let supplied = plan.module.strip_prefix("crate::").and_then(|path| path.split("::").next());
    let module = supplied.map(|name| format!("mod {name};\n")).unwrap_or_default();
    format!(
        "//! A wrapper of {}: every export of the original, under its own name and ordinal.\n\
         #![no_std]\n\n\
         {module}mod stubs;\nmod table;\n\n\
         #[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'_>) -> ! {{\n    loop {{}}\n}}\n",
        plan.library
    )
}
