//! Latency and bandwidth by size, as SVG.
use anyhow::Result;
use crate::machine::Machine;
use crate::model::Results;
pub(crate) fn plot(_: &Machine, _: &Results) -> Result<String> { Ok(String::new()) }
