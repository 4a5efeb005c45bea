// The code behind the exports of wsock32.dll. Written by stubgen; change what it reads instead.

use core::arch::global_asm;
use core::ffi::{CStr, c_char, c_void};
use core::ptr::NonNull;
use core::{iter, ptr};

use super::table::{EXPORTS, LIBRARY};

/// A symbol as assembly has it: in 32-bit programs an underscore stands before every one.
#[cfg(target_arch = "x86")]
macro_rules! symbol {
    ($symbol:ident) => {
        concat!("_", stringify!($symbol))
    };
}

#[cfg(not(target_arch = "x86"))]
macro_rules! symbol {
    ($symbol:ident) => {
        stringify!($symbol)
    };
}

/// What is intercepted: the code behind an export is a jump to the function of the wrapper.
macro_rules! intercept {
    ($($symbol:ident $name:ident;)*) => {
        $(global_asm!(
            concat!(".globl ", symbol!($symbol)),
            concat!(symbol!($symbol), ": jmp {function}"),
            function = sym crate::calls::$name,
        );)*

        /// Only assembly mentions these functions, so nothing else would keep them.
        #[used]
        static KEPT: Kept = Kept([$(crate::calls::$name as *const ()),*]);

        struct Kept(#[allow(dead_code, reason = "it is there to be there")] [*const (); [$(stringify!($name)),*].len()]);

        // SAFETY: nobody reads it, and addresses of functions do not change.
        unsafe impl Sync for Kept {}
    };
}

/// Refuses to compile a function with another number of parameters than the headers give it or, in a 32-bit program, one
/// that would clear another number of bytes off its caller's stack.
#[allow(unused_macros, reason = "the headers may know none of the functions")]
macro_rules! check {
    ($($name:ident($($parameter:tt)*) $bytes:literal;)*) => {
        $(const _: () = takes(crate::calls::$name as unsafe extern "system" fn($($parameter),*) -> _, $bytes);)*
    };
}

/// That a function takes so many bytes off the stack of a 32-bit program.
const fn takes<F: Arguments + Copy>(_: F, bytes: usize) {
    assert!(cfg!(not(target_arch = "x86")) || F::BYTES == bytes, "the stack would not be as the caller expects it");
}

/// What a function's arguments take on the stack of a 32-bit program.
trait Arguments {
    const BYTES: usize;
}

macro_rules! arguments {
    ($first:ident $($rest:ident)*) => {
        arguments!(@ $first $($rest)*);
        arguments!($($rest)*);
    };
    () => { arguments!(@); };
    (@ $($each:ident)*) => {
        impl<R, $($each),*> Arguments for unsafe extern "system" fn($($each),*) -> R {
            const BYTES: usize = 0 $(+ size_of::<$each>().next_multiple_of(4))*;
        }
    };
}

arguments!(A B C D E F G H I J K L M N O P);

intercept! {
    nvx_accept accept;
    nvx_closesocket closesocket;
    nvx_connect connect;
    nvx_getsockopt getsockopt;
    nvx_ioctlsocket ioctlsocket;
    nvx_listen listen;
    nvx_recv recv;
    nvx_recvfrom recvfrom;
    nvx_select select;
    nvx_send send;
    nvx_sendto sendto;
    nvx_setsockopt setsockopt;
    nvx_shutdown shutdown;
    nvx_socket socket;
    nvx_WSAAsyncSelect WSAAsyncSelect;
    nvx_WSAStartup WSAStartup;
    nvx_WSACleanup WSACleanup;
    nvx_WSARecvEx WSARecvEx;
    nvx_TransmitFile TransmitFile;
}

check! {
    accept(_ _ _) 12;
    closesocket(_) 4;
    connect(_ _ _) 12;
    getsockopt(_ _ _ _ _) 20;
    ioctlsocket(_ _ _) 12;
    listen(_ _) 8;
    recv(_ _ _ _) 16;
    recvfrom(_ _ _ _ _ _) 24;
    select(_ _ _ _ _) 20;
    send(_ _ _ _) 16;
    sendto(_ _ _ _ _ _) 24;
    setsockopt(_ _ _ _ _) 20;
    shutdown(_ _) 8;
    socket(_ _ _) 12;
    WSAAsyncSelect(_ _ _ _) 16;
    WSAStartup(_ _) 8;
    WSACleanup() 0;
    WSARecvEx(_ _ _ _) 16;
    TransmitFile(_ _ _ _ _ _ _) 28;
}

/// What is left to the system's own DLL: the export jumps to where that has it, once it is known. No register that can
/// hold an argument and nothing on the stack is changed, so no prototype is needed.
#[cfg(target_arch = "x86_64")]
macro_rules! system {
    ($($symbol:ident $index:literal;)*) => {
        $(global_asm!(
            concat!(".globl ", symbol!($symbol)),
            concat!(symbol!($symbol), ":"),
            concat!("mov r11, qword ptr [rip + nvx_found + 8 * ", $index, "]"),
            "test r11, r11",
            "jz 2f",
            "jmp r11",
            "2:",
            concat!("mov r11d, ", $index),
            "jmp nvx_first_use",
        );)*
    };
}

#[cfg(target_arch = "x86")]
macro_rules! system {
    ($($symbol:ident $index:literal;)*) => {
        $(global_asm!(
            concat!(".globl ", symbol!($symbol)),
            concat!(symbol!($symbol), ":"),
            concat!("cmp dword ptr [_nvx_found + 4 * ", $index, "], 0"),
            "je 2f",
            concat!("jmp dword ptr [_nvx_found + 4 * ", $index, "]"),
            "2:",
            concat!("push ", $index),
            "jmp _nvx_first_use",
        );)*
    };
}

// The first call of such an export. It arrives with the index in r11, which carries no argument, and with all arguments
// where its caller has put them; they are kept, the address is found and noted, and the call goes on there.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".bss",
    ".balign 8",
    ".globl nvx_found",
    "nvx_found: .zero 8 * {count}",
    ".text",
    ".globl nvx_first_use",
    ".seh_proc nvx_first_use",
    "nvx_first_use:",
    "sub rsp, 0xb8",
    ".seh_stackalloc 0xb8",
    ".seh_endprologue",
    "mov [rsp + 0x20], rcx",
    "mov [rsp + 0x28], rdx",
    "mov [rsp + 0x30], r8",
    "mov [rsp + 0x38], r9",
    "mov [rsp + 0x40], r11",
    "movaps [rsp + 0x50], xmm0",
    "movaps [rsp + 0x60], xmm1",
    "movaps [rsp + 0x70], xmm2",
    "movaps [rsp + 0x80], xmm3",
    "movaps [rsp + 0x90], xmm4",
    "movaps [rsp + 0xa0], xmm5",
    "mov ecx, r11d",
    "call {first_use}",
    "mov r11, [rsp + 0x40]",
    "lea r10, [rip + nvx_found]",
    "mov [r10 + 8 * r11], rax",
    "mov r11, rax",
    "mov rcx, [rsp + 0x20]",
    "mov rdx, [rsp + 0x28]",
    "mov r8, [rsp + 0x30]",
    "mov r9, [rsp + 0x38]",
    "movaps xmm0, [rsp + 0x50]",
    "movaps xmm1, [rsp + 0x60]",
    "movaps xmm2, [rsp + 0x70]",
    "movaps xmm3, [rsp + 0x80]",
    "movaps xmm4, [rsp + 0x90]",
    "movaps xmm5, [rsp + 0xa0]",
    "add rsp, 0xb8",
    "jmp r11",
    ".seh_endproc",
    count = const EXPORTS.len(),
    first_use = sym first_use,
);

// The same; the index arrives on the stack, above the caller's address, where the found address takes its place.
#[cfg(target_arch = "x86")]
global_asm!(
    ".bss",
    ".balign 4",
    ".globl _nvx_found",
    "_nvx_found: .zero 4 * {count}",
    ".text",
    ".globl _nvx_first_use",
    "_nvx_first_use:",
    "push eax",
    "push ecx",
    "push edx",
    "push dword ptr [esp + 12]",
    "call {first_use}",
    "add esp, 4",
    "mov ecx, [esp + 12]",
    "mov [_nvx_found + 4 * ecx], eax",
    "mov [esp + 12], eax",
    "pop edx",
    "pop ecx",
    "pop eax",
    "ret",
    count = const EXPORTS.len(),
    first_use = sym first_use,
);

/// Where a call of the export at an index of the table goes on.
extern "C" fn first_use(index: u32) -> *const c_void {
    let export = usize::try_from(index).ok().and_then(|index| EXPORTS.get(index));
    let found = export.and_then(|export| match export.name {
        Some(name) => look_up(name.as_ptr()),
        // A number in the place of the name's address asks for that ordinal.
        None => look_up(ptr::without_provenance(usize::from(export.ordinal))),
    });
    found.map_or(missing as *const c_void, |found| found.as_ptr().cast_const())
}

/// Where the system's own DLL, and not this one, has a function; none if it has none of that name.
#[allow(dead_code, reason = "for what is intercepted and sometimes has to be passed on")]
pub(crate) fn system_export(name: &CStr) -> Option<NonNull<c_void>> {
    look_up(name.as_ptr())
}

/// Looks a name or an ordinal up in the system's DLL. That is loaded by its whole path, for by its name alone we would find
/// ourselves, and it stays loaded, because stubs remember what they have found in it.
fn look_up(name: *const c_char) -> Option<NonNull<c_void>> {
    let path = system_path()?;
    // SAFETY: the path ends in a zero; the module's handle is used at once and is never freed.
    let module = unsafe { LoadLibraryW(path.as_ptr()) };
    // Put into the system's directory this DLL would find itself, and its stubs would jump to themselves for ever.
    let module = NonNull::new(module).filter(|module| !ptr::addr_eq(module.as_ptr(), &raw const __ImageBase))?;
    // SAFETY: the module is loaded, and the name is an ordinal or ends in a zero.
    NonNull::new(unsafe { GetProcAddress(module.as_ptr(), name) })
}

/// Characters that the path of a DLL in the system's directory may have.
const PATH_MAX: usize = 512;

/// The path of the system's DLL of our name, ending in a zero.
fn system_path() -> Option<[u16; PATH_MAX]> {
    let mut path = [0; PATH_MAX];
    let room = u32::try_from(PATH_MAX).ok()?;
    // SAFETY: the buffer has as much room as is said.
    let length = usize::try_from(unsafe { GetSystemDirectoryW(path.as_mut_ptr(), room) }).ok()?;
    let name = LIBRARY.to_bytes_with_nul();
    // A length of zero means that it failed, and one above the room how much it would have needed.
    let rest = path.get_mut(length..).filter(|rest| length > 0 && rest.len() > name.len())?;
    for (place, byte) in rest.iter_mut().zip(iter::once(&b'\\').chain(name)) {
        *place = u16::from(*byte);
    }
    Some(path)
}

/// What is called when the system's DLL lacks an export: fails as the loader would have failed.
extern "system" fn missing() {
    const STATUS_ENTRYPOINT_NOT_FOUND: u32 = 0xc000_0139;
    const EXCEPTION_NONCONTINUABLE: u32 = 1;
    // SAFETY: no arguments are passed, so none are read; the exception is never continued here.
    unsafe { RaiseException(STATUS_ENTRYPOINT_NOT_FOUND, EXCEPTION_NONCONTINUABLE, 0, ptr::null()) }
}

unsafe extern "C" {
    /// Where this DLL begins in memory, which is its handle; the linker supplies it.
    static __ImageBase: u8;
}

#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetSystemDirectoryW(buffer: *mut u16, characters: u32) -> u32;
    fn LoadLibraryW(path: *const u16) -> *mut c_void;
    fn GetProcAddress(module: *mut c_void, name: *const c_char) -> *mut c_void;
    fn RaiseException(code: u32, flags: u32, count: u32, arguments: *const usize);
}

system! {
    nvx_MigrateWinsockConfiguration 23;
    nvx_WEP 48;
    nvx_WSApSetPostRoutine 49;
    nvx_inet_network 50;
    nvx_getnetbyname 51;
    nvx_rcmd 52;
    nvx_rexec 53;
    nvx_rresvport 54;
    nvx_sethostname 55;
    nvx_dn_expand 56;
    nvx_s_perror 58;
    nvx_GetAddressByNameA 59;
    nvx_GetAddressByNameW 60;
    nvx_EnumProtocolsA 61;
    nvx_EnumProtocolsW 62;
    nvx_GetTypeByNameA 63;
    nvx_GetTypeByNameW 64;
    nvx_GetNameByTypeA 65;
    nvx_GetNameByTypeW 66;
    nvx_SetServiceA 67;
    nvx_SetServiceW 68;
    nvx_GetServiceA 69;
    nvx_GetServiceW 70;
    nvx_NPLoadNameSpaces 71;
}
