//! Which Windows this is, and what it is set to. For commands.
use super::winsock::{Dll, Symbol};
use core::ffi::{CStr, c_char};
use core::ptr::null_mut;
use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_READ, REG_SZ, RegCloseKey, RegEnumValueW, RegOpenKeyExW,
};
use windows_sys::Win32::System::SystemInformation::OSVERSIONINFOW;
use windows_sys::core::w;

type WineVersion = unsafe extern "C" fn() -> *const c_char;
static WINE_VERSION: Symbol = Symbol::new(Dll::Ntdll, c"wine_get_version");
type GetVersion = unsafe extern "system" fn(*mut OSVERSIONINFOW) -> i32;
static GET_VERSION: Symbol = Symbol::new(Dll::Ntdll, c"RtlGetVersion");

/// Wine's version, if this is Wine.
#[must_use]
pub fn wine_version() -> Option<String> {
    // SAFETY: Wine's function of this name has this signature, and returns a string that stays.
    unsafe { WINE_VERSION.get::<WineVersion>().map(|version| CStr::from_ptr(version()).to_string_lossy().into_owned()) }
}

/// Windows' version: major, minor, build.
#[must_use]
pub fn version() -> (u32, u32, u32) {
    // SAFETY: all zeroes is a valid value, whose length is set before it is used; ntdll's function has this signature.
    unsafe {
        let mut found: OSVERSIONINFOW = core::mem::zeroed();
        found.dwOSVersionInfoSize = size_of::<OSVERSIONINFOW>() as u32;
        if let Some(version) = GET_VERSION.get::<GetVersion>() {
            version(&raw mut found);
        }
        (found.dwMajorVersion, found.dwMinorVersion, found.dwBuildNumber)
    }
}

/// The DLLs that Windows takes from its own folder alone (`KnownDLLs`); none where there is no such key.
#[must_use]
pub fn known_dlls() -> Vec<String> {
    let mut key: HKEY = null_mut();
    let path = w!(r"SYSTEM\CurrentControlSet\Control\Session Manager\KnownDLLs");
    // SAFETY: the path ends with a NUL; the call fills the key.
    if unsafe { RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &raw mut key) } != ERROR_SUCCESS {
        return Vec::new();
    }
    let names = (0..).map_while(|at| value(key, at)).flatten().collect();
    // SAFETY: opened above.
    unsafe { RegCloseKey(key) };
    names
}

/// The text of a key's value: `None` behind the last one, `Some(None)` for what is no text.
fn value(key: HKEY, at: u32) -> Option<Option<String>> {
    let (mut name, mut text) = ([0u16; 256], [0u16; 512]);
    let (mut name_len, mut bytes, mut kind) = (name.len() as u32, size_of_val(&text) as u32, 0);
    // SAFETY: both buffers are as long as is said.
    let outcome = unsafe {
        let place = text.as_mut_ptr().cast();
        RegEnumValueW(key, at, name.as_mut_ptr(), &raw mut name_len, null_mut(), &raw mut kind, place, &raw mut bytes)
    };
    if outcome != ERROR_SUCCESS {
        return None;
    }
    let text = text.get(..bytes as usize / 2).unwrap_or_default();
    Some((kind == REG_SZ).then(|| String::from_utf16_lossy(text).trim_end_matches('\0').to_owned()))
}
