//! Source files, and a view of a Rust file in which comments and literals are blank.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::relative;

/// One source file.
pub(crate) struct Source {
    /// From the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Rust only: the text with comments and literals blanked; lines and columns stay where they are.
    pub(crate) code: Option<String>,
}

impl Source {
    /// A source made of a text, with its view.
    pub(crate) fn new(path: String, text: String) -> Self {
        let code = path.ends_with(".rs").then(|| blank(&text));
        Self { path, text, code }
    }

    /// The file is about tests: it is in a directory of tests, examples or benches, or is a module of tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| matches!(part, "tests" | "examples" | "benches" | "tests.rs"))
    }

    /// The view without the items that exist in tests only.
    pub(crate) fn product_code(&self) -> Option<String> {
        self.code.as_deref().map(without_tests)
    }
}

/// Every source file of the workspace that we wrote.
pub(crate) fn all(root: &Path) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for room in ["crates", "tests", "xtask"] {
        collect(&root.join(room), &mut found).with_context(|| format!("cannot read {room}"))?;
    }
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(Source::new(relative(root, &path), text))
        })
        .collect()
}

/// Adds the source files below a directory.
fn collect(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, found)?;
            }
        } else if matches!(extension, Some("rs" | "c" | "h" | "py" | "js" | "mjs" | "sh")) {
            found.push(path);
        }
    }
    Ok(())
}

/// Line (from 1) of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Offsets at which a word stands, bounded on both sides where it begins or ends with a letter.
pub(crate) fn find_word(code: &str, word: &str) -> Vec<usize> {
    let in_name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let (bytes, begins, ends) = (code.as_bytes(), in_name(word.as_bytes().first()), in_name(word.as_bytes().last()));
    let continues = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        begins && in_name(before) || ends && in_name(bytes.get(at + word.len()))
    };
    code.match_indices(word).map(|(at, _)| at).filter(|at| !continues(*at)).collect()
}

/// Replaces comments, strings and characters by spaces.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    while let Some(rest) = bytes.get(out.len()..).filter(|rest| !rest.is_empty()) {
        let length = literal_length(rest, out.last().copied());
        if length == 0 {
            out.push(rest.first().copied().unwrap_or(b' '));
        } else {
            out.extend(rest.iter().take(length).map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Length of the comment or literal that begins here; 0 if none does.
fn literal_length(rest: &[u8], before: Option<u8>) -> usize {
    let in_name = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, 0),
        [b'b' | b'c', b'"', ..] if !in_name => quoted(rest, 1),
        [b'r', b'"' | b'#', ..] if !in_name => raw(rest, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !in_name => raw(rest, 2),
        [b'\'', b'\\', _, tail @ ..] => tail.iter().position(|byte| *byte == b'\'').map_or(0, |at| at + 4),
        [b'\'', tail @ ..] => {
            let end = tail.iter().take(5).position(|byte| *byte == b'\'');
            let is_character = end.is_some_and(|end| end == 1 || tail.first().is_some_and(|byte| *byte >= 0x80));
            if is_character { end.map_or(0, |end| end + 2) } else { 0 }
        }
        _ => 0,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], prefix: usize) -> usize {
    let mut at = prefix + 1;
    loop {
        match rest.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return rest.len(),
        }
    }
}

/// A raw string; a raw identifier (`r#type`) is none.
fn raw(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest.iter().skip(prefix).take_while(|byte| **byte == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return 0;
    }
    let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let start = prefix + hashes + 1;
    let body = rest.get(start..).unwrap_or_default();
    body.windows(end.len()).position(|window| window == end).map_or(rest.len(), |at| start + at + end.len())
}

/// Blanks every item under an attribute like `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    for marker in ["#[cfg(test)]", "#[cfg(all(test", "#[cfg(any(test"] {
        while let Some(at) = out.find(marker) {
            let end = item_end(&out, at + marker.len());
            let blanked: String = out[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
            out.replace_range(at..end, &blanked);
        }
    }
    out
}

/// Where the item that follows an offset ends: after its block, or after its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let rest = code.get(from..).unwrap_or_default();
    let block = rest.find('{').unwrap_or(rest.len());
    let statement = rest.find(';').unwrap_or(rest.len());
    if statement < block { from + statement + 1 } else { block_end(code, from + block) }
}

/// Where the block that opens at an offset ends: after its closing brace.
pub(crate) fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_places_stay() {
        let text =
            "let a = \"panic!\"; // panic!\nlet b = 'p'; /* /* x */ panic! */ let c: &'static str = r#\"\"panic!\"#; d";
        let view = blank(text);
        assert_eq!(view.len(), text.len());
        assert!(!view.contains("panic!"));
        assert!(view.contains("&'static str") && view.ends_with("; d"));
    }

    #[test]
    fn items_of_tests_are_no_product_code() {
        let source =
            Source::new("crates/x/src/lib.rs".into(), "fn a() {}\n#[cfg(test)]\nmod t { fn b() {} }\nfn c() {}".into());
        let code = source.product_code().unwrap();
        assert!(code.contains("fn a") && code.contains("fn c") && !code.contains("fn b"));
    }

    #[test]
    fn a_word_is_not_found_inside_a_longer_one() {
        assert_eq!(find_word("unsafe_code unsafe { }", "unsafe"), [12]);
        assert_eq!(find_word("a.unwrap() b.unwrap_or(c)", ".unwrap()"), [1]);
    }
}
