//! From the broker to the tables of all processes that have handed theirs to it.

use super::runtime;
use super::section::View;
use crate::status::model::{Family, Process, Report, Unreadable};
use crate::status::read;
use std::path::Path;
use vmmc_os::Descriptor;
use vmmc_protocol::{Client, ControlError};

/// How long the broker may take to answer.
const PATIENCE_MS: u32 = 1000;

/// Asks the broker. Without one there is nothing to see.
pub(crate) fn all() -> Result<Report, String> {
    let place = runtime::meeting_place(&runtime::directory()?).ok_or("the runtime directory cannot be used")?;
    let mut found = Vec::new();
    match Client::tables(&place, PATIENCE_MS, |pid, table| found.push((pid, table))) {
        Ok(_) | Err(ControlError::Absent) => {}
        Err(error) => return Err(format!("the broker was asked in vain: {error}")),
    }
    let (mut families, mut unreadable) = (Vec::new(), Vec::new());
    for (pid, table) in found {
        let pid = i32::try_from(pid).unwrap_or(i32::MAX);
        match family(pid, &table) {
            Ok(family) => families.push(family),
            Err(why) => unreadable.push(Unreadable { pid, why }),
        }
    }
    families.sort_by_key(|family| family.processes.first().map(|process| process.pid));
    Ok(Report::new(families, unreadable))
}

fn family(pid: i32, table: &Descriptor) -> Result<Family, String> {
    let view = View::map(table).map_err(|error| format!("its table of sockets cannot be read: {error}"))?;
    let table = read::table(&|buffer: &mut [u8], at| Ok(view.copy(buffer, at)))?;
    Ok(Family { processes: vec![Process { pid, command: command(pid) }], table })
}

/// The file that the process runs, without its folder; empty if it has ended.
fn command(pid: i32) -> String {
    let image = vmmc_os::process::image(pid.unsigned_abs()).unwrap_or_default();
    Path::new(&image).file_name().unwrap_or_default().to_string_lossy().into_owned()
}
