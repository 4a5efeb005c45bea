//! Programs that nobody here wrote, as they are built for Windows.
//!
//! All of them are unmodified; what a Unix program lacks on Windows is in `compat/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use vmmc_tests::Launch;

use crate::build::{Build, Linked, WSOCK32_FIRST};
use crate::source::{Source, files};
use crate::{Stage, wine};

const NETPIPE: Source = Source {
    name: "netpipe",
    pool: "n/netpipe/netpipe_3.7.2.orig.tar.gz",
    sha256: "13dac884ff52951636f651c421f5ff4a853218a95aa28a4a852402ee385a2ab8",
    parts: &[],
};
const CIVETWEB: Source = Source {
    name: "civetweb",
    pool: "c/civetweb/civetweb_1.15%2bdfsg.orig.tar.xz",
    sha256: "ec372e9737bc820118bbb735f46a07d41f795814ca0f38bc6e67048e7a460f33",
    parts: &["*/src", "*/include", "*/examples"],
};
const RINETD: Source = Source {
    name: "rinetd",
    pool: "r/rinetd/rinetd_0.73.orig.tar.gz",
    sha256: "e3980aaa3feb7649440abf0e1d616d7d42f06de0c43ecc25332bb21418c07fc4",
    parts: &[],
};
const LUA: Source = Source {
    name: "lua",
    pool: "l/lua5.1/lua5.1_5.1.5.orig.tar.gz",
    sha256: "2640fc56a795f29d28ef15e13c34a47e223960b0240e8cb0a82d9b0738695333",
    parts: &[],
};
const LUASOCKET: Source = Source {
    name: "luasocket",
    pool: "l/luasocket/luasocket_3.1.0.orig.tar.gz",
    sha256: "35a6819789b51d94a52e6cee12f07cb17cf02927438d76c31231db06bbf31f0b",
    parts: &[],
};

const MOSQUITTO: Source = Source {
    name: "mosquitto",
    pool: "m/mosquitto/mosquitto_2.0.11.orig.tar.gz",
    sha256: "7b36a7198bce85cf31b132f5c6ee36dcf5dadf86fb768501eb1e11ce95d4f78a",
    parts: &["*/config.h", "*/include", "*/lib", "*/src", "*/client", "*/deps"],
};

/// What a program for Unix takes from its headers, on top of WinSock 1.1.
const COMPATIBLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/compat");

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A small program of `apps/`, which are ours.
#[must_use]
pub fn app(file: &'static str) -> Linked {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/apps")).join(file).with_extension("c");
    let link = owned(&["-luser32", "-ladvapi32"]);
    Build { file, sources: vec![source], link, sockets: WSOCK32_FIRST, ..Build::default() }.make()
}

/// Another of them as a DLL that is loaded while its program runs; what would be `main` is its `program`.
#[must_use]
pub fn app_as_library(file: &'static str) -> Linked {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/apps")).join(file).with_extension("c");
    let (flags, link) = (&["-Dmain=program"], owned(&["-luser32", "-ladvapi32"]));
    Build { file, sources: vec![source], flags, link, sockets: WSOCK32_FIRST, ..Build::default() }.make()
}

/// NetPIPE's `NPtcp`, a measure of round trips: WinSock 1.1 and nothing else.
#[must_use]
pub fn netpipe() -> Linked {
    let source = NETPIPE.directory().join("src");
    Build {
        file: "nptcp.exe",
        sources: vec![source.join("netpipe.c"), source.join("tcp.c")],
        include: vec![source],
        include_after: vec![COMPATIBLE.into()],
        flags: &["-DTCP"],
        sockets: &["-lwsock32"],
        ..Build::default()
    }
    .make()
}

/// civetweb, a web server of threads, in the program that its authors give as an example: port 8888, the current directory's
/// files, and an end when `/exit` is asked for.
#[must_use]
pub fn civetweb() -> Linked {
    let source = CIVETWEB.directory();
    Build {
        file: "civetweb.exe",
        sources: vec![source.join("src/civetweb.c"), source.join("examples/embedded_c/embedded_c.c")],
        include: vec![source.join("include")],
        flags: &["-DNO_SSL", "-DNO_CGI", "-DNDEBUG"],
        link: owned(&["-lpthread"]),
        sockets: WSOCK32_FIRST,
        ..Build::default()
    }
    .make()
}

/// rinetd: passes connections on, with one `select` for all of them.
#[must_use]
pub fn rinetd() -> Linked {
    let source = RINETD.directory().join("src");
    Build {
        file: "rinetd.exe",
        sources: files(&source, ".c"),
        include: vec![source],
        flags: &["-DPACKAGE_VERSION=\"0.73\"", "-DHAVE_ERRNO_H"],
        sockets: WSOCK32_FIRST,
        ..Build::default()
    }
    .make()
}

/// mosquitto, which passes messages on to who subscribed to them: the broker, its library, a subscriber and a publisher.
#[must_use]
pub fn mosquitto() -> [Linked; 4] {
    let source = MOSQUITTO.directory();
    let build = |file, sources, flags, link| {
        let include = ["", "include", "lib", "src", "client", "deps"].map(|name| source.join(name)).to_vec();
        Build { file, sources, include, flags, link, sockets: WSOCK32_FIRST, ..Build::default() }.make()
    };
    let only_broker =
        |file: &PathBuf| !["websockets.c", "plugin_debug.c", "plugin_defer.c"].iter().any(|name| file.ends_with(name));
    let shared = |file: &PathBuf| MOSQUITTO_SHARED.iter().any(|name| file.ends_with(format!("{name}.c")));
    let library = files(&source.join("lib"), ".c");
    let broker = files(&source.join("src"), ".c").into_iter().filter(only_broker);
    let broker = broker.chain(library.iter().filter(|file| shared(file)).cloned()).collect();
    let broker = build("mosquitto.exe", broker, MOSQUITTO_BROKER, Vec::new());
    let library = build("libmosquitto.dll", library, MOSQUITTO_LIBRARY, Vec::new());
    let client = |file, parts: [&str; 2]| {
        let parts = ["client_shared", "client_props"].into_iter().chain(parts);
        let parts = parts.map(|name| source.join("client").join(name).with_extension("c")).collect();
        build(file, parts, MOSQUITTO_CLIENT, vec![library.to_string_lossy().into_owned()])
    };
    let subscriber = client("mosquitto_sub.exe", ["sub_client", "sub_client_output"]);
    let publisher = client("mosquitto_pub.exe", ["pub_client", "pub_shared"]);
    [broker, library, subscriber, publisher]
}

/// How each part is compiled, as mosquitto's own build does it for Windows.
const MOSQUITTO_CLIENT: &[&str] = &["-DWIN32", "-D_WIN32_WINNT=0x0600", "-DVERSION=\"2.0.11\""];
const MOSQUITTO_LIBRARY: &[&str] =
    &["-DWIN32", "-D_WIN32_WINNT=0x0600", "-DVERSION=\"2.0.11\"", "-Dlibmosquitto_EXPORTS"];
const MOSQUITTO_BROKER: &[&str] = &[
    "-DWIN32",
    "-D_WIN32_WINNT=0x0600",
    "-DVERSION=\"2.0.11\"",
    "-DLIBMOSQUITTO_STATIC",
    "-DWITH_BROKER",
    "-DWITH_SYS_TREE",
];
/// What the broker takes from the library's sources.
const MOSQUITTO_SHARED: &[&str] = &[
    "alias_mosq",
    "handle_ping",
    "handle_pubackcomp",
    "handle_pubrec",
    "handle_pubrel",
    "handle_suback",
    "handle_unsuback",
    "memory_mosq",
    "misc_mosq",
    "net_mosq",
    "packet_datatypes",
    "packet_mosq",
    "property_mosq",
    "send_connect",
    "send_disconnect",
    "send_mosq",
    "send_publish",
    "send_subscribe",
    "send_unsubscribe",
    "strings_mosq",
    "time_mosq",
    "tls_mosq",
    "utf8_mosq",
    "util_mosq",
    "util_topic",
    "will_mosq",
];

/// Lua 5.1 with LuaSocket: an interpreter and the three libraries that belong beside it.
#[derive(Clone, Debug)]
pub struct Lua {
    files: [Linked; 4],
}

/// Lua's interpreter and LuaSocket, as its own test suite wants it (`LUASOCKET_DEBUG`).
#[must_use]
pub fn lua() -> Lua {
    let (lua, socket) = (LUA.directory().join("src"), LUASOCKET.directory().join("src"));
    let mut language = files(&lua, ".c");
    language.retain(|file| !["lua.c", "luac.c", "print.c"].iter().any(|name| file.ends_with(name)));
    let build = |file, sources, include: &[&Path], flags, link| {
        let include = include.iter().map(|path| path.to_path_buf()).collect();
        Build { file, sources, include, flags, link, sockets: WSOCK32_FIRST, ..Build::default() }.make()
    };
    let core = build("lua51.dll", language, &[&lua], &["-DLUA_BUILD_AS_DLL"], Vec::new());
    let with_core = || vec![core.to_string_lossy().into_owned()];
    let interpreter = build("lua.exe", vec![lua.join("lua.c")], &[&lua], &["-DLUA_BUILD_AS_DLL"], with_core());
    let unix = ["mime.c", "serial.c", "unix.c", "unixdgram.c", "unixstream.c", "usocket.c"];
    let mut parts = files(&socket, ".c");
    parts.retain(|file| !unix.iter().any(|name| file.ends_with(name)));
    let flags = &["-DLUASOCKET_DEBUG", "-DLUASOCKET_API=__declspec(dllexport)"];
    let sockets = build("socket.dll", parts, &[&lua], flags, with_core());
    let encodings = vec![socket.join("mime.c"), socket.join("compat.c")];
    let mime = build("mime.dll", encodings, &[&lua], flags, with_core());
    Lua { files: [interpreter, core, sockets, mime] }
}

impl Lua {
    /// What belongs on a stage.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        self.files.iter().map(PathBuf::as_path).collect()
    }

    /// The directory of LuaSocket's own tests.
    #[must_use]
    pub fn suite(&self) -> PathBuf {
        LUASOCKET.directory().join("test")
    }

    /// Tells an interpreter about to be started where LuaSocket's modules are.
    #[must_use]
    pub fn modules(&self, launch: Launch) -> Launch {
        launch.env("LUA_PATH", format!("Z:{}/?.lua", modules().display())).env("LUA_CPATH", ".\\?.dll")
    }
}

/// The directory of LuaSocket's modules as an interpreter looks for them, made once: others may be reading there.
fn modules() -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let modules = wine::room("").join("lua-modules");
    if !modules.is_dir() {
        let fresh = wine::room("").join("fresh-lua-modules");
        let _ = fs::remove_dir_all(&fresh);
        fs::create_dir_all(fresh.join("socket")).expect("a directory for modules");
        for module in files(&LUASOCKET.directory().join("src"), ".lua") {
            let name = module.file_name().expect("a file");
            let top = ["socket.lua", "ltn12.lua", "mime.lua"].iter().any(|top| name == *top);
            let directory = if top { fresh.clone() } else { fresh.join("socket") };
            fs::copy(&module, directory.join(name)).expect("a module in its place");
        }
        fs::rename(fresh, &modules).expect("modules in their place");
    }
    modules
}

/// The name by which a program under Wine knows a file of this system.
#[must_use]
pub fn windows_path(file: &Path) -> String {
    format!("Z:{}", file.display())
}

/// A stage's files as a program under Wine names them.
#[must_use]
pub fn stage_path(stage: &Stage, name: &str) -> String {
    windows_path(&stage.path(name))
}
