//! What the reader gets: tables, JSON, plots.

mod json;
mod paper;
mod plot;
pub(crate) mod show;
mod table;
pub(crate) mod targets;

pub(crate) use json::json;
pub(crate) use paper::Face;
pub(crate) use plot::plot;
pub(crate) use table::text;
pub(crate) use targets::{Promises, Ratio, Target, ratio, targets};
