//! What a wrapper does with each export of its original.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::exports::{self, Export};
use crate::prototypes::{self, Headers, Prototype};

/// What the author of a wrapper asks for; a file in TOML. Everything may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wishes {
    /// The headers in which prototypes are looked for; `windows.h` if none is named.
    pub headers: Vec<String>,
    /// The module whose functions are called for what is intercepted: `crate::calls`.
    pub module: Option<String>,
    /// Names of the exports that the wrapper's own functions answer.
    pub intercept: Vec<String>,
    /// Names of the exports that are looked up in the system's own DLL at first use, although the original forwards them.
    pub system: Vec<String>,
    /// Where the loader finds exports of these names: `module.name`.
    pub forward: BTreeMap<String, String>,
}

impl Wishes {
    /// Reads a file of wishes.
    ///
    /// # Errors
    /// If it cannot be read, or says what is not understood.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }
}

/// What becomes of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A function of the wrapper answers.
    Intercept,
    /// The loader finds it elsewhere, when the program starts: `module.name`.
    Forward(String),
    /// A stub finds it in the system's own DLL of the wrapper's name, at the first call.
    System,
}

/// One export of a wrapper.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The export of the original.
    pub export: Export,
    /// What becomes of it.
    pub fate: Fate,
    /// What the headers say about it.
    pub prototype: Option<Prototype>,
}

impl Entry {
    /// The name of the code behind the export, in assembly (32-bit programs put an underscore before it).
    pub fn symbol(&self) -> String {
        let name = self.export.name.as_deref().filter(|name| is_identifier(name));
        name.map_or_else(|| format!("nvx_ordinal_{}", self.export.ordinal), |name| format!("nvx_{name}"))
    }

    /// Bytes of arguments that the function takes off the stack of a 32-bit program, as far as that is known.
    pub fn stack_bytes(&self) -> Option<u32> {
        self.export.stack_bytes.or(self.prototype.as_ref()?.stack_bytes)
    }

    /// The export as a wrapper that follows the plan has it.
    pub fn planned(&self) -> Export {
        let forward = if let Fate::Forward(target) = &self.fate { Some(target.clone()) } else { None };
        Export { forward, ..self.export.clone() }
    }
}

/// A wrapper, decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file name of the original and of the wrapper: `wsock32.dll`.
    pub library: String,
    /// The module whose functions are called for what is intercepted.
    pub module: String,
    /// Every export of the original, by ordinal.
    pub entries: Vec<Entry>,
}

impl Plan {
    /// Reads an original, decides, and then reads what the headers say about its exports.
    ///
    /// # Errors
    /// If one of them cannot be read, or as [`Plan::new`] says.
    pub fn read(library: &str, original: &Path, wishes: &Wishes, mut headers: Headers) -> Result<Self> {
        let mut plan = Self::new(library, exports::read(original)?, wishes)?;
        if headers.names.is_empty() {
            headers.names.push("windows.h".to_owned());
        }
        let names: Vec<&str> = plan.entries.iter().filter_map(|entry| entry.export.name.as_deref()).collect();
        let mut prototypes = prototypes::read(&headers, &names)?;
        for entry in &mut plan.entries {
            entry.prototype = entry.export.name.as_ref().and_then(|name| prototypes.remove(name));
        }
        Ok(plan)
    }

    /// Decides for every export: what is wished first, then the original's own forwarder, then the system's DLL. Of
    /// prototypes nothing is known yet; what is exported does not depend on them.
    ///
    /// # Errors
    /// If a wish names no export or two wishes name one; if what is intercepted has no place to be; if data, which no
    /// stub can stand for, has no forwarder.
    pub fn new(library: &str, exports: Vec<Export>, wishes: &Wishes) -> Result<Self> {
        check_names(&exports, wishes)?;
        let module = wishes.module.clone().unwrap_or_default();
        ensure!(wishes.intercept.is_empty() || !module.is_empty(), "`intercept` asks for a `module` to call");
        let decide = |export: Export| Entry { fate: fate(&export, wishes), export, prototype: None };
        let entries = exports.into_iter().map(decide).collect();
        let plan = Self { library: library.to_owned(), module, entries };
        let data = plan.labels(|entry| entry.export.data && !matches!(entry.fate, Fate::Forward(_)));
        ensure!(data.is_empty(), "data and not functions; say under [forward] where they are: {}", data.join(", "));
        Ok(plan)
    }

    /// What no header says anything about; what the original forwards is found there and needs no prototype.
    pub fn without_prototype(&self) -> Vec<String> {
        self.labels(|entry| entry.prototype.is_none())
    }

    /// The exports that a built wrapper must have.
    pub fn exports(&self) -> Vec<Export> {
        self.entries.iter().map(Entry::planned).collect()
    }

    /// How many exports have which fate, in words.
    pub fn summary(&self) -> String {
        let count = |chosen: fn(&Fate) -> bool| self.entries.iter().filter(|entry| chosen(&entry.fate)).count();
        let intercepted = count(|fate| *fate == Fate::Intercept);
        let forwarded = count(|fate| matches!(fate, Fate::Forward(_)));
        let system = count(|fate| *fate == Fate::System);
        let all = self.entries.len();
        format!("{all} exports, {intercepted} intercepted, {forwarded} forwarded, {system} left to the system's DLL")
    }

    fn labels(&self, chosen: fn(&Entry) -> bool) -> Vec<String> {
        self.entries.iter().filter(|entry| chosen(entry)).map(|entry| entry.export.label()).collect()
    }
}

fn fate(export: &Export, wishes: &Wishes) -> Fate {
    let name = export.name.as_deref().unwrap_or_default();
    let wished = |names: &[String]| names.iter().any(|wish| wish == name);
    if wished(&wishes.intercept) {
        return Fate::Intercept;
    }
    let forward = wishes.forward.get(name).or(export.forward.as_ref()).filter(|_| !wished(&wishes.system));
    forward.map_or(Fate::System, |target| Fate::Forward(target.clone()))
}

/// Every wish names an export, and no export is wished twice.
fn check_names(exports: &[Export], wishes: &Wishes) -> Result<()> {
    let known: BTreeSet<&str> = exports.iter().filter_map(|export| export.name.as_deref()).collect();
    let mut seen = BTreeSet::new();
    let unspeakable = wishes.intercept.iter().find(|name| !is_identifier(name));
    ensure!(unspeakable.is_none(), "{} is no name of a Rust function", unspeakable.map_or("", String::as_str));
    for name in wishes.intercept.iter().chain(&wishes.system).chain(wishes.forward.keys()) {
        ensure!(known.contains(name.as_str()), "{name} is wished for, and the original does not export it");
        ensure!(seen.insert(name), "{name} is wished for twice");
    }
    Ok(())
}

/// A name that Rust and assembly take as it is.
fn is_identifier(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
