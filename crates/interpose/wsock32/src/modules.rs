//! The modules of the program, and the places in them where the loader has written the addresses of what they import.
//!
//! A module (a PE image) says in its headers where its import descriptors stand; each of those, where an array of such
//! places begins, which ends with a zero. Delayed imports have descriptors of their own; a place of theirs holds the
//! function's address once it has been called. Offsets are those of Microsoft's "PE Format"; all of them are checked
//! against the image's size.

use core::ffi::c_void;
use core::ptr::null_mut;
use vmmc_os::image::{HEADERS, Image as Headers};
use windows_sys::Win32::Foundation::{FreeLibrary, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleFileNameA, GetModuleHandleExA,
};
use windows_sys::Win32::System::Memory::{PAGE_READWRITE, VirtualProtect};
use windows_sys::Win32::System::ProcessStatus::K32EnumProcessModules;
use windows_sys::Win32::System::SystemInformation::GetWindowsDirectoryA;
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// Modules that are looked at; what is loaded beyond them keeps its imports.
const MODULES_MAX: usize = 1024;
const PATH_MAX: usize = 512;
/// C runtimes in the system's directory: their files may be sockets, and their `exit` is how programs end.
const RUNTIMES: [&[u8]; 3] = [b"msvcr", b"ucrtbase", b"crtdll"];

/// A module that cannot be unloaded while this lives.
pub(crate) struct Module(HMODULE);

impl Module {
    /// The modules whose imports are the program's: the program itself, what it brought along, and C runtimes; not this
    /// library, and not the system.
    pub(crate) fn each_of_program(mut visit: impl FnMut(&Self)) {
        Self::each(|at, module| {
            if at == 0 || module.is_programs() {
                visit(module);
            }
        });
    }

    /// The modules but this library, each with its place in the order in which they were loaded.
    fn each(mut visit: impl FnMut(usize, &Self)) {
        let mut modules = [null_mut(); MODULES_MAX];
        let mut bytes = 0;
        let room = size_of_val(&modules) as u32;
        // SAFETY: the buffer has as much room as is said.
        if unsafe { K32EnumProcessModules(GetCurrentProcess(), modules.as_mut_ptr(), room, &raw mut bytes) } == 0 {
            return;
        }
        let ours = this();
        let count = bytes as usize / size_of::<HMODULE>();
        for (at, module) in modules.iter().take(count).enumerate() {
            if *module != ours
                && let Some(module) = Self::hold(module.cast_const())
            {
                visit(at, &module);
            }
        }
    }

    /// Whether it is this library too, from another file.
    fn is_ours(&self) -> bool {
        // SAFETY: a module's first page is its headers, which are mapped while it is held, and nobody writes there.
        let headers = unsafe { core::slice::from_raw_parts(self.0.cast::<u8>(), HEADERS) };
        Headers::of_headers(headers).is_some_and(|image| image.is_ours)
    }

    fn hold(address: *const c_void) -> Option<Self> {
        let mut module = null_mut();
        // SAFETY: an address in the module is asked about, and nothing is read there.
        let found =
            unsafe { GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, address.cast(), &raw mut module) };
        (found != 0).then_some(Self(module))
    }

    fn is_programs(&self) -> bool {
        let (mut path, mut system) = ([0_u8; PATH_MAX], [0_u8; PATH_MAX]);
        // SAFETY: the buffers have as much room as is said.
        let (path_len, system_len) = unsafe {
            (
                GetModuleFileNameA(self.0, path.as_mut_ptr(), PATH_MAX as u32) as usize,
                GetWindowsDirectoryA(system.as_mut_ptr(), PATH_MAX as u32) as usize,
            )
        };
        let (Some(path), Some(system)) = (path.get_mut(..path_len), system.get_mut(..system_len)) else { return false };
        path.make_ascii_lowercase();
        system.make_ascii_lowercase();
        let in_system = path.starts_with(system) && path.get(system.len()) == Some(&b'\\');
        let file = path.rsplit(|byte| *byte == b'\\').next().unwrap_or_default();
        !in_system || RUNTIMES.iter().any(|runtime| file.starts_with(runtime))
    }

    /// Calls `change` with every address that the loader has written; what it returns is written in its place.
    /// Only one thread may do this at a time.
    pub(crate) fn change_imports(&self, change: impl Fn(usize) -> Option<usize>) {
        let image = Image::of(self.0.cast());
        for (directory, descriptor_len, array_at) in [IMPORTS, DELAYED_IMPORTS] {
            let Some(mut descriptor) = image.as_ref().and_then(|image| image.directory(directory)) else { continue };
            let Some(image) = &image else { return };
            while let Some(array) = image.word(descriptor + array_at).filter(|array| *array != 0) {
                image.change_array(array as usize, &change);
                descriptor += descriptor_len;
            }
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the reference that `hold` has taken.
        unsafe { FreeLibrary(self.0) };
    }
}

/// Whether this library is loaded a second time, from another file.
pub(crate) fn has_another() -> bool {
    let mut found = false;
    Module::each(|_, module| found |= module.is_ours());
    found
}

/// This library itself. It is never unloaded, for other modules' imports lead to it.
fn this() -> HMODULE {
    let mut module = null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    // SAFETY: an address of our own code is asked about.
    unsafe { GetModuleHandleExA(flags, (this as *const ()).cast(), &raw mut module) };
    module
}

/// A directory's number, its descriptors' length, and where in each stands the address of its array.
const IMPORTS: (usize, usize, usize) = (1, 20, 16);
const DELAYED_IMPORTS: (usize, usize, usize) = (13, 32, 12);
/// Where the first header says where the second is; the latter's optional part begins after so many bytes.
const SECOND_HEADER: usize = 0x3c;
const OPTIONAL: usize = 24;
/// In the optional part: the image's size, and the first directory (8 bytes each).
const SIZE_OF_IMAGE: usize = 56;
const DIRECTORIES: usize = if cfg!(target_pointer_width = "64") { 112 } else { 96 };

/// A module in memory.
struct Image {
    base: *mut u8,
    len: usize,
    optional: usize,
}

impl Image {
    fn of(base: *mut u8) -> Option<Self> {
        // The headers of what the loader has accepted stand in its first page.
        let headers = Self { base, len: 4096, optional: 0 };
        let optional = headers.word(SECOND_HEADER)? as usize + OPTIONAL;
        let len = headers.word(optional + SIZE_OF_IMAGE)? as usize;
        Some(Self { len, optional, ..headers })
    }

    fn place<T>(&self, at: usize) -> Option<*mut T> {
        let fits = at.checked_add(size_of::<T>()).is_some_and(|end| end <= self.len);
        // SAFETY: within the image by the test above.
        fits.then(|| unsafe { self.base.add(at) }.cast())
    }

    fn word(&self, at: usize) -> Option<u32> {
        // SAFETY: within the image, which is mapped and stays so.
        self.place::<u32>(at).map(|place| unsafe { place.read_unaligned() })
    }

    /// Where a directory's descriptors begin, if it has any.
    fn directory(&self, number: usize) -> Option<usize> {
        self.word(self.optional + DIRECTORIES + 8 * number).filter(|at| *at != 0).map(|at| at as usize)
    }

    fn change_array(&self, mut at: usize, change: impl Fn(usize) -> Option<usize>) {
        while let Some(place) = self.place::<usize>(at).filter(|place| place.is_aligned()) {
            // SAFETY: within the image and aligned.
            match unsafe { place.read_volatile() } {
                0 => break,
                address => {
                    if let Some(new) = change(address) {
                        write(place, new);
                    }
                }
            }
            at += size_of::<usize>();
        }
    }
}

/// Writes into what the loader has made read-only. A thread that calls through it at this moment finds the one or the other.
fn write(place: *mut usize, address: usize) {
    let mut before = 0;
    // SAFETY: the page of an array of imports, of a module that is held; it gets the protection back that it had.
    unsafe {
        if VirtualProtect(place.cast(), size_of::<usize>(), PAGE_READWRITE, &raw mut before) != 0 {
            place.write_volatile(address);
            VirtualProtect(place.cast(), size_of::<usize>(), before, &raw mut before);
        }
    }
}
