//! Any bytes as the file of a DLL, or (if the first is even) as a table of exports.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A file of each kind, in memory.
static FILES: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    let own = std::process::id();
    ["csv", "dll"].map(|kind| PathBuf::from(format!("/dev/shm/vmmc-fuzz-{own}.{kind}")))
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let file = &FILES[usize::from(kind % 2)];
    if std::fs::write(file, bytes).is_ok()
        && let Ok(exports) = vmmc_stubgen::exports::read(file)
    {
        assert!(!exports.is_empty() && exports.is_sorted_by_key(|export| export.ordinal));
    }
    let _ = std::fs::remove_file(file);
});
