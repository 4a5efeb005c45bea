//! What the system's headers say about functions, as their own compiler understands it.
//!
//! The compiler is asked twice, so that no C is parsed here: `-aux-info` makes it list every function that it has seen, in
//! one line each with all types spelled out, and in the assembly of a 32-bit program the name of a function that clears
//! its own stack ends in `@` and the number of bytes (`_accept@12`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// What a header says about one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prototype {
    /// The declaration, without the names of parameters: `SOCKET accept (SOCKET, struct sockaddr *, int *)`.
    pub text: String,
    /// How many parameters it has; none if that varies from call to call.
    pub parameters: Option<usize>,
    /// Bytes of arguments that it takes off the stack of a 32-bit program; none if its caller does that.
    pub stack_bytes: Option<u32>,
}

/// Where prototypes come from.
#[derive(Clone, Debug)]
pub struct Headers {
    /// Included in this order, as if by `#include <…>`.
    pub names: Vec<String>,
    /// Looked into before the system's own directories.
    pub directories: Vec<PathBuf>,
}

const COMPILER_32: &str = "i686-w64-mingw32-gcc";
const COMPILER_64: &str = "x86_64-w64-mingw32-gcc";

/// What the headers say about the functions of these names; a name of which they say nothing is left out.
///
/// # Errors
/// If a compiler is missing (Debian: `mingw-w64`) or refuses the headers.
pub fn read(headers: &Headers, wanted: &[&str]) -> Result<BTreeMap<String, Prototype>> {
    let directory = tempfile::tempdir()?;
    let mut found = declared(headers, COMPILER_32, directory.path(), wanted)?;
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    for (name, bytes) in stack_bytes(headers, directory.path(), &names)? {
        found.entry(name).and_modify(|prototype| prototype.stack_bytes = Some(bytes));
    }
    // Some functions exist in 64-bit programs only.
    for (name, prototype) in declared(headers, COMPILER_64, directory.path(), wanted)? {
        found.entry(name).or_insert(prototype);
    }
    Ok(found)
}

/// Every wanted function that the compiler has seen in the headers.
fn declared(headers: &Headers, compiler: &str, at: &Path, wanted: &[&str]) -> Result<BTreeMap<String, Prototype>> {
    let list = at.join("functions");
    let mut command = compile(headers, compiler, at, "")?;
    run(command.arg("-fsyntax-only").arg("-aux-info").arg(&list))?;
    let text = String::from_utf8_lossy(&fs::read(&list)?).into_owned();
    let found = text.lines().filter_map(declaration).filter(|(name, _)| wanted.contains(name));
    Ok(found.map(|(name, prototype)| (name.to_owned(), prototype)).collect())
}

/// Reads `/* file:line:NC */ extern SOCKET accept (SOCKET, struct sockaddr *, int *);`.
fn declaration(line: &str) -> Option<(&str, Prototype)> {
    let text = line.split_once("*/ extern ")?.1;
    let text = text.get(..text.rfind(';')?)?;
    // The name stands before the first parenthesis that opens no pointer to a function.
    let open = text.match_indices(" (").map(|(at, _)| at).find(|at| !text[*at..].starts_with(" (*"))?;
    let name = text[..open].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
    let parameters = count(parenthesised(&text[open + 1..])?);
    Some((name, Prototype { text: text.to_owned(), parameters, stack_bytes: None }))
}

/// What stands between a parenthesis and the one that closes it.
fn parenthesised(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return text.get(1..at),
            ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// The number of parameters in a list; none if it ends in an ellipsis.
fn count(parameters: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let commas = parameters.chars().filter(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *c == ',' && depth == 0
    });
    let commas = commas.count();
    match parameters {
        "void" | "" => Some(0),
        _ if parameters.ends_with("...") => None,
        _ => Some(commas + 1),
    }
}

/// How many bytes each of these functions takes off the stack of a 32-bit program.
fn stack_bytes(headers: &Headers, at: &Path, names: &[&str]) -> Result<Vec<(String, u32)>> {
    let undefined: String = names.iter().map(|name| format!("#undef {name}\n")).collect();
    let taken: String = names.iter().map(|name| format!("    (const void *)&{name},\n")).collect();
    let source = format!("{undefined}const void *const taken[] = {{\n{taken}    0\n}};\n");
    let mut command = compile(headers, COMPILER_32, at, &source)?;
    let assembly = run(command.args(["-S", "-o", "-"]))?;
    Ok(assembly.lines().filter_map(decorated).collect())
}

/// Reads `.long _accept@12`.
fn decorated(line: &str) -> Option<(String, u32)> {
    let symbol = line.trim().strip_prefix(".long")?.trim();
    let (name, bytes) = symbol.strip_prefix('_')?.rsplit_once('@')?;
    Some((name.to_owned(), bytes.parse().ok()?))
}

/// A compiler's command for the headers, followed by some source.
fn compile(headers: &Headers, compiler: &str, at: &Path, source: &str) -> Result<Command> {
    let included: String = headers.names.iter().map(|name| format!("#include <{name}>\n")).collect();
    let file = at.join("headers.c");
    fs::write(&file, format!("{included}{source}"))?;
    let mut command = Command::new(compiler);
    command.args(headers.directories.iter().flat_map(|directory| [Path::new("-I"), directory]));
    command.arg("-w").arg(file);
    Ok(command)
}

/// Runs a command and returns what it prints.
fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().with_context(|| format!("cannot run {program}; Debian: apt-get install mingw-w64"))?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
