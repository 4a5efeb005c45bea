//! The policy's file: a TOML document, and what keeps others from writing it.

use super::{Policy, Rule};
use std::io::{self, Error, ErrorKind};
use std::path::Path;

/// No policy is longer.
const BYTES_MAX: u64 = 1 << 20;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    allow: Option<Vec<Rule>>,
    #[serde(default)]
    deny: Vec<Rule>,
}

pub(super) fn read(path: &Path) -> io::Result<Policy> {
    let shown = path.display();
    let wrong = |why: String| Error::new(ErrorKind::InvalidData, format!("{shown}: {why}"));
    let about = |error: Error| Error::new(error.kind(), format!("{shown}: {error}"));
    let metadata = std::fs::metadata(path).map_err(about)?;
    if !metadata.is_file() || metadata.len() > BYTES_MAX {
        return Err(wrong(format!("it is no file of at most {BYTES_MAX} bytes")));
    }
    if !vmmc_os::process::may_trust(path) {
        return Err(wrong("others than this user and root can write it".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(about)?;
    parse(&text).map_err(|why| Error::new(ErrorKind::InvalidData, format!("{shown}:{why}")))
}

/// An error begins with the number of the line.
pub(super) fn parse(text: &str) -> Result<Policy, String> {
    let document: Document = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        format!("{line}: {}", error.message().split_whitespace().collect::<Vec<_>>().join(" "))
    })?;
    let allow = document.allow.unwrap_or_else(|| Policy::default().allow);
    Ok(Policy { allow, deny: document.deny })
}
