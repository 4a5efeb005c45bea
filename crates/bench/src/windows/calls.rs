//! The few calls that `std` lacks.

use std::io::{Error, ErrorKind, Result};
use std::ptr::null_mut;
use std::thread;
use std::time::Duration;

use vmmc_os::Descriptor;
use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle, FILETIME};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, OpenProcess, PROCESS_DUP_HANDLE, SetProcessAffinityMask,
};

use crate::job::Cpu;

/// The watchdog: this process ends after `seconds`.
pub(crate) fn end_after(seconds: u32) {
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(seconds.into()));
        std::process::exit(1);
    });
}

/// The watchdog is what ends this process here if its parent is gone.
pub(crate) fn end_with_parent() {}

/// No signal tells of a broken pipe here.
pub(crate) fn survive_broken_pipes() {}

/// Keeps this process on one processor.
pub(crate) fn pin(cpu: usize) -> Result<()> {
    let mask = u32::try_from(cpu).ok().and_then(|cpu| 1_usize.checked_shl(cpu));
    let mask = mask.ok_or(ErrorKind::InvalidInput)?;
    // SAFETY: a handle of this process that needs no closing, and a number.
    if unsafe { SetProcessAffinityMask(GetCurrentProcess(), mask) } == 0 { Err(Error::last_os_error()) } else { Ok(()) }
}

/// Processor time of this process so far.
pub(crate) fn cpu_time() -> Cpu {
    let none = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut created, mut ended, mut system, mut user) = (none, none, none, none);
    // SAFETY: the four times are valid for writes.
    unsafe { GetProcessTimes(GetCurrentProcess(), &raw mut created, &raw mut ended, &raw mut system, &raw mut user) };
    // In units of 100 ns.
    let seconds = |time: FILETIME| (u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)) as f64 / 1e7;
    Cpu { user: seconds(user), system: seconds(system) }
}

/// There is no limit that could be raised.
pub(crate) fn allow_many_descriptors() -> Result<()> {
    Ok(())
}

/// Linux' alone.
#[derive(Debug)]
pub(crate) struct Epoll;

impl Epoll {
    pub(crate) fn new() -> Result<Self> {
        Err(Error::new(ErrorKind::Unsupported, "there is no epoll on Windows"))
    }

    pub(crate) fn add(&self, _number: i32, _key: u64) -> Result<()> {
        Self::new().map(drop)
    }

    pub(crate) fn wait(&self, _keys: &mut Vec<u64>) -> Result<()> {
        Self::new().map(drop)
    }
}

/// The name by which another process of this user can open `section`.
pub(crate) fn name_of(section: i32) -> String {
    format!("{}/{section}", std::process::id())
}

/// What another process has [named](name_of).
pub(crate) fn open(name: &str) -> Result<Descriptor> {
    let parse = |text: &str| text.parse::<u32>().ok();
    let (pid, section) = name
        .split_once('/')
        .and_then(|(pid, section)| parse(pid).zip(parse(section)))
        .ok_or(ErrorKind::InvalidInput)?;
    // SAFETY: numbers alone.
    let process = unsafe { OpenProcess(PROCESS_DUP_HANDLE, 0, pid) };
    if process.is_null() {
        return Err(Error::last_os_error());
    }
    let owner = Descriptor::new(process.addr() as i32);
    let mut new = null_mut();
    // SAFETY: the handle of the process is ours until the end of this function; the call fills the new one.
    let made = unsafe {
        let section = std::ptr::without_provenance_mut(section as usize);
        DuplicateHandle(process, section, GetCurrentProcess(), &raw mut new, 0, 0, DUPLICATE_SAME_ACCESS)
    };
    drop(owner);
    if made == 0 { Err(Error::last_os_error()) } else { Ok(Descriptor::new(new.addr() as i32)) }
}
