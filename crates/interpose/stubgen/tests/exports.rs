//! Exports as they are read: from DLLs of both kinds and from the table of the real wsock32.dll.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use support::{WIN32, WIN64};
use vmmc_stubgen::exports::{self, Export};

fn forwarders(exports: &[Export]) -> BTreeMap<u16, &str> {
    exports.iter().filter_map(|export| Some((export.ordinal, export.forward.as_deref()?))).collect()
}

#[test]
fn every_kind_of_export_is_read_from_dlls_of_both_kinds() {
    for kind in [WIN64, WIN32] {
        let directory = tempfile::tempdir().unwrap();
        let found = exports::read(&support::original(kind, directory.path())).unwrap();
        let ordinals: Vec<u16> = found.iter().map(|export| export.ordinal).collect();
        assert_eq!(ordinals, [3, 4, 9, 10, 11, 12, 13, 20, 21, 30, 31, 32], "gaps are no exports");
        let named: Vec<&str> = found.iter().filter_map(|export| export.name.as_deref()).collect();
        let names = ["mixed", "many", "sum", "cleared", "quick", "answered", "?odd@@YAXXZ", "counter", "elsewhere"];
        assert_eq!(named, [&names[..], &["by_number"]].concat());
        let forwarders = forwarders(&found);
        let expected = [(30, "kernel32.GetTickCount"), (31, "ws2_32.#12"), (32, "kernel32.Sleep")];
        assert_eq!(forwarders, BTreeMap::from(expected));
        let data: Vec<u16> = found.iter().filter(|export| export.data).map(|export| export.ordinal).collect();
        assert_eq!(data, [21]);
    }
}

#[test]
fn the_table_of_wsock32_has_what_windows_has() {
    let table = exports::read(&support::wsock32_table()).unwrap();
    let to = |module: &str| table.iter().filter(|export| export.forward.iter().any(|f| f.starts_with(module))).count();
    assert_eq!((table.len(), to("ws2_32."), to("mswsock.")), (75, 45, 26));
    let own: Vec<&str> =
        table.iter().filter(|export| export.forward.is_none()).filter_map(|export| export.name.as_deref()).collect();
    assert_eq!(own, ["getsockopt", "recv", "recvfrom", "setsockopt"]);
    let ordinal = |name: &str| table.iter().find(|e| e.name.as_deref() == Some(name)).map(|e| e.ordinal);
    assert_eq!(ordinal("accept"), Some(1));
    assert_eq!(ordinal("WEP"), Some(500));
    assert_eq!(ordinal("GetAcceptExSockaddrs"), Some(1142));
}

/// Wine's wsock32 was made after the real one by other people: what it has must be in the table, ordinal by ordinal.
#[test]
fn wines_wsock32_agrees_with_the_table() {
    let table = exports::read(&support::wsock32_table()).unwrap();
    let names: BTreeMap<u16, &Option<String>> = table.iter().map(|export| (export.ordinal, &export.name)).collect();
    let wine = exports::read(&support::of_wine("wsock32.dll")).unwrap();
    assert!(wine.len() > 60);
    // Windows 95 had this one, and the table says so.
    for export in wine.iter().filter(|export| export.name.as_deref() != Some("WsControl")) {
        assert_eq!(names.get(&export.ordinal), Some(&&export.name), "{}", export.label());
    }
}

#[test]
fn what_is_no_original_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("{:#}", exports::read(&path).unwrap_err())
    };
    const HEADINGS: &str = "ordinal,name,target_dll,target_name,i386_stdcall_argbytes\n";
    assert!(refused("twice.csv", &format!("{HEADINGS}1,a,,,\n1,b,,,\n")).contains("ordinal 1 stands twice"));
    assert!(refused("names.csv", &format!("{HEADINGS}1,a,,,\n2,a,,,\n")).contains("a stands twice"));
    assert!(refused("empty.csv", HEADINGS).contains("there are none"));
    assert!(refused("number.csv", &format!("{HEADINGS}70000,a,,,\n")).contains("number.csv"));
    assert!(refused("text.dll", "text").contains("text.dll"));
    assert!(exports::read(Path::new("/nowhere.dll")).is_err());
}
