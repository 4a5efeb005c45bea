//! Gives the linker the table of exports: every name and every ordinal of the system's wsock32.dll.

fn main() {
    println!("cargo:rerun-if-changed=generated/exports.def");
    if std::env::var_os("CARGO_CFG_WINDOWS").is_some() {
        println!("cargo:rustc-cdylib-link-arg={}/generated/exports.def", env!("CARGO_MANIFEST_DIR"));
    }
}
