//! What `vmmc doctor PROGRAM` says of a program and of the folder that it lies in.

use super::{launch, library};
use crate::doctor::check::Check;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use vmmc_os::image::Image;

/// The program, what lies beside it, and whether anything can be put there.
pub(crate) fn of_program(name: &OsStr) -> Vec<Check> {
    const NAME: &str = "program";
    const ADVICE: &str = "Name a program's file.";
    let Some(program) = launch::here(name) else {
        return vec![Check::fail(NAME, format!("{} is no file", name.to_string_lossy()), ADVICE)];
    };
    let found = program.display();
    let bits = match Image::of_file(&program) {
        Ok(Some(image)) => image.bits,
        Ok(None) => return vec![Check::fail(NAME, format!("{found} is no program"), ADVICE)],
        Err(error) => return vec![Check::fail(NAME, format!("{found}: {error}"), ADVICE)],
    };
    let own = if bits == usize::BITS {
        Check::ok(NAME, format!("{found}: {bits}-bit, as this vmmc.exe"))
    } else {
        let why = format!("{found}: {bits}-bit, so `vmmc run` of this {}-bit vmmc.exe does not reach it", usize::BITS);
        Check::warn(NAME, why, format!("Use the {bits}-bit vmmc.exe, or copy the {bits}-bit wsock32.dll beside it."))
    };
    vec![own, beside(&program, bits), folder(&program)]
}

/// Which `wsock32.dll` the program finds first.
fn beside(program: &Path, bits: u32) -> Check {
    const NAME: &str = "wsock32.dll beside it";
    let file = program.with_file_name(library::FILE_NAME);
    if !file.exists() {
        return Check::ok(NAME, "there is none: copy it there, or start the program with `vmmc run`");
    }
    match Image::of_file(&file) {
        Ok(Some(Image { is_ours: true, bits: its })) if its == bits => Check::ok(NAME, format!("ours, {bits}-bit")),
        Ok(Some(Image { is_ours: true, bits: its })) => Check::fail(
            NAME,
            format!("ours, but for {its}-bit programs: this one does not start with it"),
            format!("Replace it by the {bits}-bit one."),
        ),
        Ok(_) => Check::warn(
            NAME,
            "another one than ours",
            "Leave it, if the program needs it; `vmmc run` works all the same.",
        ),
        Err(error) => Check::fail(NAME, error.to_string(), "See to it that the program may read it."),
    }
}

/// Whether a file can be put beside the program.
fn folder(program: &Path) -> Check {
    const NAME: &str = "folder";
    let folder = program.parent().unwrap_or_else(|| Path::new("."));
    let trial = folder.join(format!("vmmc-{}.tmp", std::process::id()));
    match fs::File::create_new(&trial) {
        Ok(file) => {
            drop(file);
            let _ = fs::remove_file(&trial);
            Check::ok(NAME, format!("{} can be written to", folder.display()))
        }
        Err(error) => Check::warn(
            NAME,
            format!("{} cannot be written to: {error}", folder.display()),
            "Nothing can be copied there: start the program with `vmmc run`.",
        ),
    }
}
