//! What the system tells of this machine.

use std::env;

use anyhow::{Result, bail};

/// What the processor is called.
pub(crate) fn processor() -> Option<String> {
    env::var("PROCESSOR_IDENTIFIER").ok()
}

/// The system and its version.
pub(crate) fn kernel() -> Option<String> {
    let (major, minor, build) = vmmc_os::edition::version();
    let windows = format!("Windows {major}.{minor}.{build}");
    Some(vmmc_os::edition::wine_version().map_or_else(|| windows.clone(), |wine| format!("{windows} (Wine {wine})")))
}

/// Processor time of all programs, which is not counted here.
pub(crate) fn busy_seconds() -> Option<f64> {
    None
}

/// Processor time of this process and its children, which is not counted here.
pub(crate) fn own_seconds() -> f64 {
    0.0
}

/// Two processors that this process may use, if there are two.
pub(crate) fn two_processors() -> Option<[usize; 2]> {
    (vmmc_os::process::processors() >= 2).then_some([0, 1])
}

/// Memory of a process, which is not looked at here.
pub(crate) fn resident_bytes(_pid: u32) -> Result<f64> {
    bail!("the memory of processes is not measured on Windows")
}

/// Processor time of a process, which is not looked at here.
pub(crate) fn cpu_seconds(_pid: u32) -> Result<f64> {
    bail!("the processor time of processes is not measured on Windows")
}
