//! Programs that nobody here wrote, as they are installed, on the kernel's road and on VMMC's.

mod nginx;
mod redis;
mod server;

pub(crate) use nginx::nginx;
pub(crate) use redis::redis;

use crate::model::Road;
use crate::process::Enabled;

fn enabled(road: Road) -> Enabled {
    if road == Road::Kernel { Enabled::No } else { Enabled::Yes }
}
