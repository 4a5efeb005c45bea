//! Which road an enabled process's data took.

use std::env;

use crate::process::Own;
use crate::status::{self, Roads};

/// Whether the library is in the process `pid`: that shows in the share of the data that goes through memory.
pub(crate) fn library_loaded(_pid: u32) -> bool {
    env::current_exe().is_ok_and(|command| command.with_file_name("wsock32.dll").is_file())
}

/// The roads of the process `pid`; `None` if it keeps no table.
pub(crate) fn roads(pid: u32) -> Option<Roads> {
    status::roads(&Own::here().ok()?, pid)
}
