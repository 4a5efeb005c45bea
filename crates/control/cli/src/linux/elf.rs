//! Whether the loader will heed LD_PRELOAD for a program, and whether the library would then see its calls.

use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};
use object::{Endianness, FileKind, elf};
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Scripts whose interpreter is a script, and so on: as deep as the kernel goes.
const INTERPRETERS_MAX: usize = 5;
/// Longest first line of a script that the kernel reads.
const SHEBANG_MAX: u64 = 256;
/// Programs larger than this are not looked at: 1 GiB.
const PROGRAM_BYTES_MAX: u64 = 1 << 30;

/// What becomes of the library in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is loaded and sees the calls; or the file is nothing that we know.
    Fit,
    /// No loader runs, so nothing is preloaded.
    Static,
    /// The program's own runtime makes system calls beside libc.
    Go,
    /// Another word size.
    Bits32,
    /// Another processor.
    ForeignMachine,
    /// Another C library.
    Musl,
    /// The loader distrusts the environment.
    Privileged,
}

impl Verdict {
    /// Why the program is not accelerated: the end of a sentence that begins with its name.
    pub(super) fn why(self) -> Option<&'static str> {
        match self {
            Self::Fit => None,
            Self::Static => Some("is statically linked, so no library can be preloaded into it"),
            Self::Go => Some("is written in Go, whose runtime makes its system calls past libc"),
            Self::Bits32 => Some("is a 32-bit program and libvmmc.so is not"),
            Self::ForeignMachine => Some("is built for another processor"),
            Self::Musl => Some("is linked with musl and libvmmc.so needs glibc"),
            Self::Privileged => Some(
                "gains privileges when it starts (set-user-id, set-group-id or file capabilities), so the loader ignores LD_PRELOAD",
            ),
        }
    }

    /// Whether preloading does no harm: a loader of the wrong kind would complain or even stop.
    pub(super) fn may_preload(self) -> bool {
        !matches!(self, Self::Bits32 | Self::ForeignMachine | Self::Musl)
    }
}

/// Looks at the program, or at the interpreter if it is a script. What cannot be read counts as fit.
pub(super) fn inspect(program: &Path) -> Verdict {
    let mut path = program.to_owned();
    for _ in 0..INTERPRETERS_MAX {
        let Ok(file) = File::open(&path) else { return Verdict::Fit };
        match interpreter(&file) {
            Some(next) => path = next,
            None => return inspect_file(&path, &file),
        }
    }
    Verdict::Fit
}

/// The interpreter that a script's first line names.
fn interpreter(mut file: &File) -> Option<PathBuf> {
    let mut start = Vec::new();
    (&mut file).take(SHEBANG_MAX).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.split(|byte| b" \t".contains(byte)).find(|word| !word.is_empty())?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(word)))
}

fn inspect_file(path: &Path, file: &File) -> Verdict {
    let Ok(metadata) = file.metadata() else { return Verdict::Fit };
    if gains_privileges(path, &metadata) {
        return Verdict::Privileged;
    }
    if !metadata.is_file() || metadata.len() > PROGRAM_BYTES_MAX {
        return Verdict::Fit;
    }
    let data = object::ReadCache::new(file);
    match FileKind::parse(&data) {
        Ok(FileKind::Elf64) => inspect_elf64(&data).unwrap_or(Verdict::Fit),
        Ok(FileKind::Elf32) => Verdict::Bits32,
        _ => Verdict::Fit,
    }
}

/// Whether the kernel will start the program in secure mode for us.
fn gains_privileges(path: &Path, metadata: &Metadata) -> bool {
    let set_user = metadata.mode() & libc::S_ISUID != 0 && metadata.uid() != rustix::process::getuid().as_raw();
    let set_group = metadata.mode() & (libc::S_ISGID | libc::S_IXGRP) == (libc::S_ISGID | libc::S_IXGRP)
        && metadata.gid() != rustix::process::getgid().as_raw();
    let has_capabilities = !rustix::process::getuid().is_root()
        && rustix::fs::getxattr(path, "security.capability", &mut [0_u8; 64][..]).is_ok();
    set_user || set_group || has_capabilities
}

fn inspect_elf64<'data>(data: impl object::ReadRef<'data>) -> object::Result<Verdict> {
    let header = elf::FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    if header.e_machine.get(endian) != OUR_MACHINE {
        return Ok(Verdict::ForeignMachine);
    }
    let segments = header.program_headers(endian, data)?;
    let Some(loader) = segments.iter().find_map(|segment| segment.interpreter(endian, data).ok().flatten()) else {
        // The loader itself has no loader, but heeds LD_PRELOAD for the program that it is given.
        let has_name = segments.iter().filter_map(|segment| segment.dynamic(endian, data).ok().flatten());
        let is_library = has_name.flatten().any(|entry| entry.tag32(endian) == Some(elf::DT_SONAME));
        return Ok(if is_library { Verdict::Fit } else { Verdict::Static });
    };
    if loader.windows(7).any(|window| window == b"ld-musl") {
        return Ok(Verdict::Musl);
    }
    let sections = header.sections(endian, data)?;
    let is_go = sections.section_by_name(endian, b".go.buildinfo").is_some();
    Ok(if is_go { Verdict::Go } else { Verdict::Fit })
}

#[cfg(target_arch = "x86_64")]
const OUR_MACHINE: u16 = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const OUR_MACHINE: u16 = elf::EM_AARCH64;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// A 64-bit ELF file of our machine with the given loader and nothing else.
    fn elf_file(class: u8, machine: u16, loader: Option<&str>) -> Vec<u8> {
        let mut file = vec![0_u8; 64 + 56];
        file[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1, 1]);
        file[16..18].copy_from_slice(&elf::ET_EXEC.to_le_bytes());
        file[18..20].copy_from_slice(&machine.to_le_bytes());
        file[20..24].copy_from_slice(&1_u32.to_le_bytes());
        file[32..40].copy_from_slice(&64_u64.to_le_bytes());
        file[52..54].copy_from_slice(&64_u16.to_le_bytes());
        file[54..56].copy_from_slice(&56_u16.to_le_bytes());
        file[56..58].copy_from_slice(&u16::from(loader.is_some()).to_le_bytes());
        if let Some(loader) = loader {
            file[64..68].copy_from_slice(&elf::PT_INTERP.to_le_bytes());
            file[72..80].copy_from_slice(&120_u64.to_le_bytes());
            file[96..104].copy_from_slice(&(loader.len() as u64 + 1).to_le_bytes());
            file.extend(loader.bytes().chain([0]));
        }
        file
    }

    fn verdict_on(content: &[u8]) -> Verdict {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        inspect(file.path())
    }

    #[test]
    fn programs_are_told_apart() {
        let glibc = Some("/lib64/ld-linux-x86-64.so.2");
        assert_eq!(verdict_on(&elf_file(2, OUR_MACHINE, glibc)), Verdict::Fit);
        assert_eq!(verdict_on(&elf_file(2, OUR_MACHINE, Some("/lib/ld-musl-x86_64.so.1"))), Verdict::Musl);
        assert_eq!(verdict_on(&elf_file(2, OUR_MACHINE, None)), Verdict::Static);
        assert_eq!(verdict_on(&elf_file(2, elf::EM_S390, glibc)), Verdict::ForeignMachine);
        assert_eq!(verdict_on(&elf_file(1, elf::EM_386, glibc)), Verdict::Bits32);
        assert_eq!(inspect(&std::env::current_exe().expect("ourselves")), Verdict::Fit);
    }

    #[test]
    fn what_is_no_program_is_left_to_the_system() {
        assert_eq!(verdict_on(b""), Verdict::Fit);
        assert_eq!(verdict_on(&elf_file(2, OUR_MACHINE, None)[..50]), Verdict::Fit);
        assert_eq!(inspect(Path::new("/nonexistent")), Verdict::Fit);
    }

    #[test]
    fn a_script_is_judged_by_its_interpreter() {
        let interpreter = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(interpreter.path(), elf_file(2, OUR_MACHINE, None)).expect("written");
        assert_eq!(verdict_on(format!("#! {} -x\nhello", interpreter.path().display()).as_bytes()), Verdict::Static);
        let script = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(script.path(), format!("#!{}\n", script.path().display())).expect("written");
        assert_eq!(inspect(script.path()), Verdict::Fit, "a script that names itself ends");
    }

    #[test]
    fn a_program_that_changes_its_user_is_privileged() {
        if !rustix::process::getuid().is_root() {
            return; // Only root can give a file away.
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), elf_file(2, OUR_MACHINE, Some("/lib64/ld-linux-x86-64.so.2"))).expect("written");
        std::os::unix::fs::chown(file.path(), Some(1), None).expect("given away");
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o4755)).expect("marked");
        assert_eq!(inspect(file.path()), Verdict::Privileged);
    }
}
