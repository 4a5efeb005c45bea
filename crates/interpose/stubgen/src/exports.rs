//! What a DLL exports: read from the DLL itself, or from a table of it where the DLL cannot be had.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use object::LittleEndian as LE;
use object::pe::{IMAGE_SCN_MEM_EXECUTE, ImageNtHeaders32, ImageNtHeaders64};
use object::read::pe::{ExportTable, ImageNtHeaders, PeFile};
use serde::Deserialize;

/// One export of a DLL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The number by which it can be imported; unique in its DLL.
    pub ordinal: u16,
    /// The name by which it can be imported; none if there is only the number (`NONAME`).
    pub name: Option<String>,
    /// Where the loader finds it instead, as the DLL spells it: `module.name` or `module.#ordinal`.
    pub forward: Option<String>,
    /// Not a function: it stands where nothing can be executed.
    pub data: bool,
    /// Bytes of arguments that the function takes off the stack of a 32-bit program, where the source says so.
    pub stack_bytes: Option<u32>,
}

impl Export {
    /// As messages name it: `accept @1`, or `@500` if it has no name.
    pub fn label(&self) -> String {
        self.name.as_ref().map_or_else(|| format!("@{}", self.ordinal), |name| format!("{name} @{}", self.ordinal))
    }
}

/// The exports of a DLL or of a table (a file that ends in `.csv`), by ordinal.
///
/// # Errors
/// If the file cannot be read, is neither, exports nothing, or gives one ordinal two names or one name two ordinals.
pub fn read(path: &Path) -> Result<Vec<Export>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_table = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let exports = if is_table { from_table(&bytes) } else { from_dll(&bytes) };
    let mut exports = exports.with_context(|| format!("cannot take the exports from {}", path.display()))?;
    exports.sort_by_key(|export| export.ordinal);
    unique(&exports).with_context(|| format!("the exports of {}", path.display()))?;
    Ok(exports)
}

/// The exports of a DLL, 32- or 64-bit, given as the bytes of its file.
fn from_dll(bytes: &[u8]) -> Result<Vec<Export>> {
    match object::FileKind::parse(bytes)? {
        object::FileKind::Pe32 => from_pe::<ImageNtHeaders32>(bytes),
        object::FileKind::Pe64 => from_pe::<ImageNtHeaders64>(bytes),
        other => bail!("this is no DLL but {other:?}"),
    }
}

fn from_pe<H: ImageNtHeaders>(bytes: &[u8]) -> Result<Vec<Export>> {
    let file = PeFile::<H>::parse(bytes)?;
    let table = file.export_table()?.context("it exports nothing")?;
    let mut names = BTreeMap::new();
    for (pointer, index) in table.name_iter() {
        let name = String::from_utf8_lossy(table.name_from_pointer(pointer)?).into_owned();
        if let Some(other) = names.insert(u32::from(index), name.clone()) {
            bail!("{name} and {other} share an ordinal, which GNU ld cannot write");
        }
    }
    let addresses = table.addresses().iter().enumerate().map(|(index, address)| (index, address.get(LE)));
    // An address of zero is a gap between ordinals.
    addresses.filter(|(_, address)| *address != 0).map(|at| from_entry(&file, &table, &mut names, at)).collect()
}

/// One entry of the table of addresses.
fn from_entry<H: ImageNtHeaders>(
    file: &PeFile<'_, H>,
    table: &ExportTable<'_>,
    names: &mut BTreeMap<u32, String>,
    (index, address): (usize, u32),
) -> Result<Export> {
    let index = u32::try_from(index)?;
    let forward = table.forward_string(address)?.map(|text| String::from_utf8_lossy(text).into_owned());
    let section = file.section_table().section_containing(address);
    let executable = section.is_none_or(|section| section.characteristics.get(LE) & IMAGE_SCN_MEM_EXECUTE != 0);
    Ok(Export {
        ordinal: u16::try_from(table.ordinal_base() + index).context("an ordinal above 65535")?,
        name: names.remove(&index),
        data: forward.is_none() && !executable,
        forward,
        stack_bytes: None,
    })
}

/// A line of a table; other columns are for its readers.
#[derive(Deserialize)]
struct Line {
    ordinal: u16,
    name: String,
    target_dll: String,
    target_name: String,
    #[serde(rename = "i386_stdcall_argbytes")]
    stack_bytes: Option<u32>,
}

/// The exports in a table: comma-separated, with a line of headings; lines that begin with `#` are comments.
fn from_table(bytes: &[u8]) -> Result<Vec<Export>> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).flexible(true).from_reader(bytes);
    reader.deserialize().map(|line| Ok(from_line(line?))).collect()
}

fn from_line(line: Line) -> Export {
    let forward = (!line.target_dll.is_empty()).then(|| format!("{}.{}", line.target_dll, line.target_name));
    let name = (!line.name.is_empty()).then_some(line.name);
    Export { ordinal: line.ordinal, name, forward, data: false, stack_bytes: line.stack_bytes }
}

/// No ordinal and no name stands twice.
fn unique(exports: &[Export]) -> Result<()> {
    ensure!(!exports.is_empty(), "there are none");
    let mut names = BTreeMap::new();
    for (export, next) in exports.iter().zip(exports.iter().skip(1).map(Some).chain([None])) {
        let twice = next.is_some_and(|next| next.ordinal == export.ordinal);
        ensure!(!twice, "ordinal {} stands twice", export.ordinal);
        if let Some(name) = &export.name {
            let before = names.insert(name, export.ordinal);
            ensure!(before.is_none(), "{name} stands twice");
        }
    }
    Ok(())
}
