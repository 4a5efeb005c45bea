//! Settings, as they travel from `vmmc run` to the library: environment variables.

/// `safe` (default) or `latency`.
pub const PROFILE: &str = "VMMC_PROFILE";
/// `auto` (default), `off`, or a number of microseconds.
pub const SPIN: &str = "VMMC_SPIN";
/// `1`: a connection that could be ours and isn't fails loudly (tests).
pub const STRICT: &str = "VMMC_STRICT";
/// `1`: the library passes everything through.
pub const DISABLE: &str = "VMMC_DISABLE";
/// The command's file, where a guest starts the broker itself (Windows) and the command does not lie beside the library.
pub const COMMAND: &str = "VMMC_BIN";
/// The library's file, which the command's children get as well (Windows, where no loader does it by itself).
pub const FOR_CHILDREN: &str = "VMMC_FOR_CHILDREN";
/// How the command is started as the broker on demand.
pub const BROKER_ARGUMENTS: [&str; 2] = ["broker", "--background"];
/// Directory of the broker's socket; default `$XDG_RUNTIME_DIR/vmmc`, else `/tmp/vmmc-UID` (mode 0700, owner checked). On
/// Windows any word: processes with equal words meet.
pub const RUNTIME_DIR: &str = "VMMC_RUNTIME_DIR";
/// The file that a broker's policy stands in, if not in the usual place.
pub const POLICY: &str = "VMMC_POLICY";
