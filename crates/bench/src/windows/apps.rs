//! Programs that nobody here wrote: none that every Windows has.

use anyhow::{Result, bail};

use crate::model::{Road, Sample};
use crate::plan::Plan;

pub(crate) fn redis(_road: Road, _plan: &Plan) -> Result<(Vec<Sample>, Vec<String>)> {
    bail!("redis is not measured on Windows")
}

pub(crate) fn nginx(_road: Road, _plan: &Plan) -> Result<(Vec<Sample>, Vec<String>)> {
    bail!("nginx is not measured on Windows")
}
