//! A program as nobody's child, and where the command is that a guest starts as its broker.
use super::descriptor::Descriptor;
use super::number;
use core::ffi::c_void;
use core::ptr::{null, null_mut};
use std::ffi::{OsStr, OsString};
use std::io::{Error, Result};
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_SUCCESS};
use windows_sys::Win32::Storage::FileSystem::{GetFileAttributesW, INVALID_FILE_ATTRIBUTES};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, GetModuleFileNameW,
    GetModuleHandleExW,
};
use windows_sys::Win32::System::Registry::{HKEY, HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CreateProcessW, DETACHED_PROCESS, PROCESS_INFORMATION,
    STARTUPINFOW,
};

/// The command's file name.
const COMMAND: &str = "vmmc.exe";
/// Names the command's file, where it lies nowhere near the library.
const VARIABLE: &str = "VMMC_BIN";
/// Where Windows keeps the places of programs; an installed command has a key of its name there.
const APP_PATHS: &str = r"Software\Microsoft\Windows\CurrentVersion\App Paths\";
/// Longest path that is looked at, in characters.
const PATH_MAX: usize = 4096;

/// Starts `exe` with `arguments` (words that need no quotes), without a console and with none of this process's handles,
/// in its own directory. Its environment is this process's: the variable stands there already if it is not the default.
///
/// # Errors
/// The system's, where the program cannot be started.
pub fn start(exe: &Path, arguments: &[&str], _environment: (&str, &OsStr)) -> Result<()> {
    let detached = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    // A job that ends its members with this process is left, if it lets them.
    match create(exe, arguments, detached | CREATE_BREAKAWAY_FROM_JOB) {
        Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED as i32) => create(exe, arguments, detached),
        outcome => outcome,
    }
}

fn create(exe: &Path, arguments: &[&str], flags: u32) -> Result<()> {
    let mut line = OsString::from("\"");
    line.push(exe);
    line.push("\" ");
    line.push(arguments.join(" "));
    let (program, mut line) = (wide(exe.as_os_str()), wide(&line));
    let directory = exe.parent().filter(|parent| !parent.as_os_str().is_empty()).map(|parent| wide(parent.as_os_str()));
    let directory = directory.as_ref().map_or(null(), |directory| directory.as_ptr());
    // SAFETY: all zeroes is a valid value of both, which mean: nothing in particular, nothing yet.
    let (mut startup, mut made) = unsafe { core::mem::zeroed::<(STARTUPINFOW, PROCESS_INFORMATION)>() };
    startup.cb = size_of::<STARTUPINFOW>() as u32;
    // SAFETY: the strings end with NULs, and all outlive the call, which may write to the line.
    let started = unsafe {
        let (program, line, no_environment) = (program.as_ptr(), line.as_mut_ptr(), null());
        CreateProcessW(
            program,
            line,
            null(),
            null(),
            0,
            flags,
            no_environment,
            directory,
            &raw const startup,
            &raw mut made,
        )
    };
    if started == 0 {
        return Err(Error::last_os_error());
    }
    drop([made.hProcess, made.hThread].map(|handle| Descriptor::new(number(handle))));
    Ok(())
}

/// The command that a guest starts as its broker, since nobody else may have: what `VMMC_BIN` names; else `vmmc.exe`
/// beside the file that this code was loaded from; else what the user's or the machine's `App Paths\vmmc.exe` names.
#[must_use]
pub fn command_for_guests() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()).map(PathBuf::from);
    let beside = || own_file().map(|file| file.with_file_name(COMMAND)).filter(|file| is_there(file));
    let installed = || [HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE].into_iter().find_map(app_path);
    named.or_else(beside).or_else(installed)
}

/// The file that this code was loaded from.
fn own_file() -> Option<PathBuf> {
    let (mut module, mut path) = (null_mut(), vec![0u16; PATH_MAX]);
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let place = own_file as *const c_void;
    // SAFETY: the address is one of this module's; the path is as long as is said.
    let len = unsafe {
        if GetModuleHandleExW(flags, place.cast(), &raw mut module) == 0 {
            return None;
        }
        GetModuleFileNameW(module, path.as_mut_ptr(), PATH_MAX as u32)
    };
    let path = path.get(..len as usize).filter(|path| !path.is_empty() && path.len() < PATH_MAX)?;
    Some(OsString::from_wide(path).into())
}

fn is_there(file: &Path) -> bool {
    let file = wide(file.as_os_str());
    // SAFETY: the path ends with a NUL.
    unsafe { GetFileAttributesW(file.as_ptr()) != INVALID_FILE_ATTRIBUTES }
}

/// The default value of the command's key.
fn app_path(root: HKEY) -> Option<PathBuf> {
    let key = wide(OsStr::new(&format!("{APP_PATHS}{COMMAND}")));
    let mut path = vec![0u16; PATH_MAX];
    let mut bytes = (PATH_MAX * 2) as u32;
    // SAFETY: the key ends with a NUL; the path is as long as is said.
    let outcome = unsafe {
        let (kind, place) = (RRF_RT_REG_SZ, path.as_mut_ptr().cast());
        RegGetValueW(root, key.as_ptr(), null(), kind, null_mut(), place, &raw mut bytes)
    };
    let len = path.iter().position(|character| *character == 0)?;
    (outcome == ERROR_SUCCESS && len > 0).then(|| OsString::from_wide(path.get(..len).unwrap_or_default()).into())
}

fn wide(text: &OsStr) -> Vec<u16> {
    text.encode_wide().chain([0]).collect()
}
