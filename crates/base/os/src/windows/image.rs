//! What the first page of a program's or a library's file says: for which word size it was made, and whether it is ours.
//!
//! Our `wsock32.dll` has a section that is named [`MARK`]. By that it is told apart from the system's file of the same name, and
//! known under any other. Offsets are those of Microsoft's "PE Format".
use super::descriptor::Descriptor;
use super::{handle, number};
use core::ptr::{null, null_mut};
use std::io::{Error, Result};
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use windows_sys::Win32::Foundation::{GENERIC_READ, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, OPEN_EXISTING, ReadFile,
};

/// The name of the section by which our library is known.
pub const MARK: &[u8; 8] = b".vmmc\0\0\0";
/// In so many bytes stand the headers of everything that Windows loads.
pub const HEADERS: usize = 4096;

/// Where the first header says where the second is.
const SECOND_HEADER: usize = 0x3c;
/// In the second: the machine, the number of sections, the length of its optional part, and where that begins.
const MACHINE: usize = 4;
const SECTIONS: usize = 6;
const OPTIONAL_LEN: usize = 20;
const OPTIONAL: usize = 24;
/// Behind that stand the sections, each with its name first.
const SECTION_LEN: usize = 40;
const X86: u16 = 0x14c;
const X86_64: u16 = 0x8664;

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its word size; 0: another machine's.
    pub bits: u32,
    /// It is our library.
    pub is_ours: bool,
}

impl Image {
    /// What these headers say; `None` if they are no program's and no library's.
    #[must_use]
    pub fn of_headers(headers: &[u8]) -> Option<Self> {
        let bytes = |at: usize, len: usize| headers.get(at..at.checked_add(len)?);
        let half = |at| bytes(at, 2).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes);
        let start = usize::from(half(SECOND_HEADER)?);
        if bytes(start, 4)? != b"PE\0\0" {
            return None;
        }
        let bits = match half(start + MACHINE)? {
            X86 => 32,
            X86_64 => 64,
            _ => 0,
        };
        let sections = start + OPTIONAL + usize::from(half(start + OPTIONAL_LEN)?);
        let mut names =
            (0..usize::from(half(start + SECTIONS)?)).map(|at| bytes(sections + at * SECTION_LEN, MARK.len()));
        Some(Self { bits, is_ours: names.any(|name| name == Some(MARK)) })
    }

    /// What the file says; `None` if it is no program and no library.
    ///
    /// # Errors
    /// The system's, where the file cannot be read.
    pub fn of_file(file: &Path) -> Result<Option<Self>> {
        let path: Vec<u16> = file.as_os_str().encode_wide().chain([0]).collect();
        let shared = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
        // SAFETY: the path ends with a NUL; the handle is owned from here on.
        let opened = unsafe { CreateFileW(path.as_ptr(), GENERIC_READ, shared, null(), OPEN_EXISTING, 0, null_mut()) };
        if opened == INVALID_HANDLE_VALUE {
            return Err(Error::last_os_error());
        }
        let opened = Descriptor::new(number(opened));
        let (mut headers, mut len) = (vec![0; HEADERS], 0);
        // SAFETY: the buffer is as long as is said.
        let read = unsafe {
            let place = headers.as_mut_ptr();
            ReadFile(handle(opened.number()), place, HEADERS as u32, &raw mut len, null_mut())
        };
        if read == 0 {
            return Err(Error::last_os_error());
        }
        Ok(Self::of_headers(headers.get(..len as usize).unwrap_or_default()))
    }
}
