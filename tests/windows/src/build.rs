//! Compiling for Windows with mingw. WSOCK32 stands before WS2_32, so that every call that both export comes from the former.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::source::succeed;
use crate::wine;

/// The compiler of 64-bit programs.
const COMPILER: &str = "x86_64-w64-mingw32-gcc";

/// Programs are built one after the other; each takes all processors.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What is to be compiled and linked.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// The file that is made: `x.exe` or `x.dll`.
    pub file: &'static str,
    /// C sources.
    pub sources: Vec<PathBuf>,
    /// Where headers are looked for.
    pub include: Vec<PathBuf>,
    /// Where headers are looked for that the compiler itself has not.
    pub include_after: Vec<PathBuf>,
    /// Further words for the compiler.
    pub flags: &'static [&'static str],
    /// Further words for the linker, before the sockets' libraries; a file that was linked before is named by its path.
    pub link: Vec<String>,
    /// Which libraries of sockets there are, in order.
    pub sockets: &'static [&'static str],
}

/// A program or library that stands ready.
pub type Linked = PathBuf;

/// The usual order: WSOCK32 is asked first.
pub(crate) const WSOCK32_FIRST: &[&str] = &["-lwsock32", "-lws2_32"];

impl Build {
    /// Builds it unless it has been built like this before, and says where it is.
    ///
    /// # Panics
    ///
    /// If it does not compile or link.
    #[must_use]
    pub fn make(&self) -> Linked {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = wine::room("programs").join(self.key());
        let made = directory.join(self.file);
        if !made.is_file() {
            fs::create_dir_all(&directory).expect("a directory for a program");
            self.compile_and_link(&directory);
        }
        made
    }

    /// Another for everything that could make another program.
    fn key(&self) -> String {
        let mut hasher = DefaultHasher::new();
        format!("{self:?}").hash(&mut hasher);
        let headers = self.sources.iter().filter_map(|file| file.parent()).flat_map(headers_in);
        let files: BTreeSet<PathBuf> = self.sources.iter().cloned().chain(headers).collect();
        files.iter().for_each(|file| fs::read(file).expect("a source").hash(&mut hasher));
        format!("{}-{:016x}", self.file, hasher.finish())
    }

    fn compile_and_link(&self, directory: &Path) {
        let objects: Vec<PathBuf> = (0..self.sources.len()).map(|n| directory.join(format!("{n}.o"))).collect();
        let work: Vec<(&PathBuf, &PathBuf)> = self.sources.iter().zip(&objects).collect();
        let workers = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for part in work.chunks(work.len().div_ceil(workers).max(1)) {
                scope.spawn(move || part.iter().for_each(|(source, object)| self.compile(source, object)));
            }
        });
        // A library remembers the name under which it was linked, so it is made under its own, elsewhere.
        let fresh = directory.join("fresh");
        fs::create_dir_all(&fresh).expect("a directory for what is being made");
        let fresh = fresh.join(self.file);
        let mut link = Command::new(COMPILER);
        link.args(self.file.ends_with(".dll").then_some("-shared")).args(["-static", "-o"]).arg(&fresh).args(&objects);
        succeed(link.args(&self.link).args(self.sockets));
        objects.iter().for_each(|object| fs::remove_file(object).expect("an object of ours"));
        fs::rename(fresh, directory.join(self.file)).expect("a program in its place");
    }

    fn compile(&self, source: &Path, object: &Path) {
        let mut compiler = Command::new(COMPILER);
        compiler.args(["-O1", "-w", "-c"]).args(self.flags);
        for include in &self.include {
            compiler.arg("-I").arg(include);
        }
        for include in &self.include_after {
            compiler.arg("-idirafter").arg(include);
        }
        succeed(compiler.arg(source).arg("-o").arg(object));
    }
}

/// The headers that stand beside a source.
fn headers_in(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).expect("the directory of a source").flatten().map(|entry| entry.path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "h")).collect()
}
