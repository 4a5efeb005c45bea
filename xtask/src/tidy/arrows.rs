//! Who may stand on whom: ARCHITECTURE.md "Layers and arrows". What is not listed is refused.

use serde_json::Value;

use super::{Complaint, relative};
use crate::command;

/// A crate, the crates of ours that it may use, and, where it runs in the guest's process, the only foreign ones.
struct Arrow {
    from: &'static str,
    to: &'static [&'static str],
    foreign: Option<&'static [&'static str]>,
}

const BASE: &[&str] = &["vmmc-os", "vmmc-sync"];
/// Raw and small: they issue system calls and never meet our exported symbols. `loom` stands under `cfg(loom)` only.
const RAW: Option<&[&str]> = Some(&["libc", "rustix", "windows-sys", "loom"]);

const ARROWS: &[Arrow] = &[
    Arrow { from: "vmmc-sync", to: &[], foreign: RAW },
    Arrow { from: "vmmc-os", to: &["vmmc-sync"], foreign: RAW },
    Arrow { from: "vmmc-contract", to: BASE, foreign: RAW },
    Arrow { from: "vmmc-shm", to: &["vmmc-contract", "vmmc-os", "vmmc-sync"], foreign: RAW },
    Arrow { from: "vmmc-sim", to: &["vmmc-contract", "vmmc-os", "vmmc-sync"], foreign: RAW },
    Arrow { from: "vmmc-conformance", to: &["vmmc-contract", "vmmc-os", "vmmc-sync"], foreign: None },
    Arrow { from: "vmmc-stream", to: &["vmmc-contract", "vmmc-sync"], foreign: RAW },
    Arrow { from: "vmmc-protocol", to: BASE, foreign: RAW },
    Arrow {
        from: "vmmc-socket",
        to: &["vmmc-contract", "vmmc-os", "vmmc-protocol", "vmmc-shm", "vmmc-stream", "vmmc-sync"],
        foreign: RAW,
    },
    Arrow { from: "vmmc-calls", to: &[], foreign: Some(&[]) },
    Arrow { from: "vmmc-stubgen", to: &[], foreign: None },
    Arrow {
        from: "vmmc-preload",
        to: &["vmmc-calls", "vmmc-os", "vmmc-protocol", "vmmc-socket", "vmmc-sync"],
        foreign: RAW,
    },
    Arrow { from: "vmmc-wsock32", to: &["vmmc-os", "vmmc-protocol", "vmmc-socket", "vmmc-sync"], foreign: RAW },
    Arrow { from: "vmmc-broker", to: &["vmmc-os", "vmmc-protocol", "vmmc-sync"], foreign: None },
    Arrow {
        from: "vmmc-bench",
        to: &["vmmc-contract", "vmmc-os", "vmmc-protocol", "vmmc-shm", "vmmc-sync"],
        foreign: None,
    },
    Arrow {
        from: "vmmc-cli",
        to: &["vmmc-bench", "vmmc-broker", "vmmc-os", "vmmc-protocol", "vmmc-sync"],
        foreign: None,
    },
    Arrow { from: "vmmc-tests", to: &["vmmc-calls", "vmmc-protocol"], foreign: None },
    Arrow { from: "vmmc-oracle", to: &["vmmc-tests"], foreign: None },
    Arrow { from: "vmmc-tests-windows", to: &["vmmc-stubgen", "vmmc-tests"], foreign: None },
    Arrow { from: "xtask", to: &[], foreign: None },
];

/// Checks what cargo says about the workspace. Dependencies of tests only (`dev-dependencies`) are free.
pub(crate) fn check(metadata: &Value) -> Vec<Complaint> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.flat_map(check_package).collect()
}

fn check_package(package: &Value) -> Vec<Complaint> {
    let name = package["name"].as_str().unwrap_or_default();
    let manifest = package["manifest_path"].as_str().unwrap_or_default();
    let file = relative(&command::root(), manifest.as_ref());
    let complaint = |message: String| Complaint { file: file.clone(), line: 0, message };
    let Some(arrow) = ARROWS.iter().find(|arrow| arrow.from == name) else {
        return vec![complaint(format!(
            "no arrow is listed for {name}; add it in xtask/src/tidy/arrows.rs and ARCHITECTURE.md"
        ))];
    };
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    dependencies
        .filter(|dependency| dependency["kind"] != "dev")
        .filter_map(|dependency| refuse(arrow, dependency))
        .map(complaint)
        .collect()
}

/// Why this dependency is refused, if it is.
fn refuse(arrow: &Arrow, dependency: &Value) -> Option<String> {
    let name = dependency["name"].as_str()?;
    let Arrow { from, to, foreign } = arrow;
    if dependency["path"].is_string() {
        let message = || format!("{from} may not stand on {name}; it may use {}", to.join(", "));
        return (!to.contains(&name)).then(message);
    }
    let foreign = (*foreign)?;
    (!foreign.contains(&name))
        .then(|| format!("{from} runs in other people's processes and may not bring {name} along"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complaints(package: &str, dependency: Value) -> usize {
        check(&json!({"packages": [{"name": package, "manifest_path": "x", "dependencies": [dependency]}]})).len()
    }

    #[test]
    fn an_arrow_upwards_is_refused_and_one_downwards_is_not() {
        assert_eq!(complaints("vmmc-stream", json!({"name": "vmmc-socket", "path": "x", "kind": null})), 1);
        assert_eq!(complaints("vmmc-stream", json!({"name": "vmmc-contract", "path": "x", "kind": null})), 0);
        assert_eq!(complaints("vmmc-stream", json!({"name": "vmmc-sim", "path": "x", "kind": "dev"})), 0);
    }

    #[test]
    fn the_guest_brings_few_foreign_crates_along() {
        assert_eq!(complaints("vmmc-socket", json!({"name": "tokio", "kind": null})), 1);
        assert_eq!(complaints("vmmc-socket", json!({"name": "rustix", "kind": null})), 0);
        assert_eq!(complaints("vmmc-cli", json!({"name": "clap", "kind": null})), 0);
    }
}
