//! How long things may be, and how a crate begins.

use super::Complaint;
use super::source::{Source, block_end, find_word, line_of};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 140;

pub(crate) fn file_length(source: &Source) -> Vec<Complaint> {
    let lines = source.text.lines().count();
    let message = format!("{lines} lines; split the file so that each part is one idea (at most {FILE_LINES_MAX})");
    let complaint = Complaint { file: source.path.clone(), line: lines, message };
    if lines > FILE_LINES_MAX { vec![complaint] } else { Vec::new() }
}

/// The inside of a string does not count: a sentence in a table stays one line.
pub(crate) fn line_length(source: &Source) -> Vec<Complaint> {
    let columns = |line: &str| line.split('"').step_by(2).map(|part| part.chars().count()).sum::<usize>();
    let long = source.text.lines().enumerate().filter(|(_, line)| columns(line) > LINE_COLUMNS_MAX);
    let message = format!("longer than {LINE_COLUMNS_MAX} columns; break the line");
    long.map(|(at, _)| Complaint { file: source.path.clone(), line: at + 1, message: message.clone() }).collect()
}

pub(crate) fn function_length(source: &Source) -> Vec<Complaint> {
    let Some(code) = source.code.as_deref() else { return Vec::new() };
    let bodies = find_word(code, "fn").into_iter().filter_map(|at| Some((at, body(code, at)?)));
    bodies
        .map(|(at, end)| (line_of(code, at), line_of(code, end) - line_of(code, at) + 1))
        .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
        .map(|(line, lines)| Complaint {
            file: source.path.clone(),
            line,
            message: format!("a function of {lines} lines; keep the decisions here and move the work into helpers"),
        })
        .collect()
}

/// Where the body of the function that is declared at an offset ends; none if it has no body.
fn body(code: &str, declared: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(declared) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' if depth == 0 => return None,
            b')' | b']' => depth -= 1,
            b';' | b',' if depth == 0 => return None,
            b'{' if depth == 0 => return Some(block_end(code, at)),
            _ => {}
        }
    }
    None
}

pub(crate) fn opening(source: &Source) -> Vec<Complaint> {
    let opens = ["/src/lib.rs", "/src/main.rs"].iter().any(|end| source.path.ends_with(end));
    if !opens || source.text.starts_with("//! ") {
        return Vec::new();
    }
    let message = "begin with `//!`: what it is, what it does not do, who calls it, what it stands on".to_owned();
    vec![Complaint { file: source.path.clone(), line: 1, message }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_function_is_found_and_a_declaration_is_none() {
        let long = format!("trait T {{ fn a(b: [u8; 2]); }}\nfn long(a: fn(u8) -> u8) {{\n{}}}\n", "x();\n".repeat(70));
        let complaints = function_length(&Source::new("x.rs".into(), long));
        assert_eq!(complaints.iter().map(|complaint| complaint.line).collect::<Vec<_>>(), [2]);
    }
}
