//! The user: who it is, what it owns, and objects that nobody else may open.
use super::descriptor::Descriptor;
use super::{handle, number};
use core::ffi::c_void;
use core::ptr::{null_mut, with_exposed_provenance_mut};
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1,
    SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{
    EqualSid, GetTokenInformation, OWNER_SECURITY_INFORMATION, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER,
    TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// What `LocalFree` takes back.
struct Local(usize);

impl Local {
    fn pointer<T>(&self) -> *mut T {
        with_exposed_provenance_mut(self.0)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: whoever made this was given the memory by a call that says so.
        unsafe { LocalFree(self.pointer::<c_void>()) };
    }
}

/// Calls `look` with this process's user.
fn with_own_sid<R>(look: impl FnOnce(PSID) -> Option<R>) -> Option<R> {
    let (mut words, mut token, mut len) = ([0u64; 16], null_mut(), 0);
    // SAFETY: the call fills the handle, which is owned from here on.
    let opened = unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) };
    let token = (opened != 0).then(|| Descriptor::new(number(token)))?;
    let size = size_of_val(&words) as u32;
    // SAFETY: the array is as long as is said.
    let known = unsafe {
        GetTokenInformation(handle(token.number()), TokenUser, words.as_mut_ptr().cast(), size, &raw mut len)
    };
    if known == 0 {
        return None;
    }
    // SAFETY: the information lies at the array's start, which is aligned for it; its SID lies in the array too.
    look(unsafe { (*words.as_ptr().cast::<TOKEN_USER>()).User.Sid })
}

/// This process's user, as text: `S-1-5-21-...`.
pub(super) fn own_sid() -> Option<String> {
    with_own_sid(|sid| {
        let mut text = null_mut();
        // SAFETY: the SID is the system's; the call makes a string.
        let made = unsafe { ConvertSidToStringSidW(sid, &raw mut text) };
        let text = (made != 0).then(|| Local(text.expose_provenance()))?;
        let start = text.pointer::<u16>();
        // SAFETY: the string ends with a NUL, and lives until `text` is dropped.
        let len = (0..256).find(|at| unsafe { *start.add(*at) } == 0)?;
        // SAFETY: as above; so many characters stand before the NUL.
        String::from_utf16(unsafe { core::slice::from_raw_parts(start, len) }).ok()
    })
}

/// Whether the object was made by this process's user: nobody else can make one in that name.
pub(super) fn is_own(object: &Descriptor) -> bool {
    let (mut owner, mut descriptor) = (null_mut(), null_mut());
    // SAFETY: the call fills both; the owner lies in the descriptor.
    let failed = unsafe {
        GetSecurityInfo(
            handle(object.number()),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut descriptor,
        )
    };
    let _descriptor = (failed == 0).then(|| Local(descriptor.expose_provenance()));
    // SAFETY: both are SIDs of the system's.
    failed == 0 && with_own_sid(|own| Some(unsafe { EqualSid(own, owner) } != 0)) == Some(true)
}

/// Security for new objects: they are this user's, nobody else may open them, and no child inherits them.
pub(super) struct OnlyOwner {
    descriptor: Local,
}

impl OnlyOwner {
    pub(super) fn new() -> Option<Self> {
        let sid = own_sid()?;
        let text: Vec<u16> = format!("O:{sid}D:P(A;;GA;;;{sid})\0").encode_utf16().collect();
        let mut descriptor = null_mut();
        // SAFETY: the text ends with a NUL; the call makes a descriptor.
        let made = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                null_mut(),
            )
        };
        (made != 0).then(|| Self { descriptor: Local(descriptor.expose_provenance()) })
    }

    /// As the system's calls take it; `self` must outlive the call.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.descriptor.pointer(),
            bInheritHandle: 0,
        }
    }
}
