//! A report for people.

use super::model::{Broker, Direction, Family, Kind, Process, Profile, Report, Road, Socket};
use crate::text::{bytes, count, one_line, plural};
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write as _;

/// Processes of one family that are named before the rest is only counted.
const PROCESSES_NAMED: usize = 8;
const HEADINGS: [&str; 12] = [
    "fd",
    "local",
    "remote",
    "way",
    "road",
    "VMMC bytes",
    "calls",
    "kernel bytes",
    "calls",
    "moves",
    "bells",
    "sleeps",
];
const WHY: &str = "why";

/// The whole report, ending in a newline.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    if report.families.is_empty() {
        text.push_str("Nothing that you may look at runs under vmmc. Start a program with: vmmc run -- COMMAND\n");
    }
    for family in &report.families {
        let _ = writeln!(text, "{}\n{}", title(family), summary(family));
        if family.table.sockets.iter().any(is_shown) {
            let _ = writeln!(text, "{}", table(family).trim_fmt());
        }
        text.push('\n');
    }
    explain_reasons(&mut text, report);
    for unreadable in &report.unreadable {
        let _ = writeln!(text, "Process {} is not shown: {}.", unreadable.pid, unreadable.why);
    }
    text
}

/// `redis-server, pid 7 (shared with 8, 9); profile safe; broker connected`.
fn title(family: &Family) -> String {
    let profile = match family.table.profile {
        Profile::Safe => "safe",
        Profile::Latency => "latency",
        Profile::Unknown => "unknown",
    };
    let broker = match family.table.broker {
        Broker::NotAsked => "not asked yet",
        Broker::Connected => "connected",
        Broker::Absent => "absent (see `vmmc doctor`)",
        Broker::Unknown => "unknown",
    };
    format!("{}; profile {profile}; broker {broker}", names(&family.processes))
}

fn names(processes: &[Process]) -> String {
    let Some((first, others)) = processes.split_first() else { return "no process".to_owned() };
    let mut names = format!("{}, pid {}", one_line(&first.command), first.pid);
    if !others.is_empty() {
        let named: Vec<String> = others.iter().take(PROCESSES_NAMED).map(|process| process.pid.to_string()).collect();
        let _ = write!(names, " (shared with {}", named.join(", "));
        if others.len() > PROCESSES_NAMED {
            let _ = write!(names, " and {} more", others.len() - PROCESSES_NAMED);
        }
        names.push(')');
    }
    names
}

/// `3 connections, 2 of them on VMMC both ways; 1 listening; 4 other sockets`.
fn summary(family: &Family) -> String {
    let sockets = &family.table.sockets;
    let connections = family.table.connections().count();
    let accelerated = family.table.connections().filter(|socket| socket.is_accelerated()).count();
    let listening = sockets.iter().filter(|socket| socket.kind == Kind::Listening).count();
    let others = sockets.len() - connections - listening;
    let mut summary = match connections {
        0 => "no connections".to_owned(),
        _ => format!("{}, {accelerated} on VMMC both ways", plural(connections, "connection")),
    };
    if listening > 0 {
        let _ = write!(summary, "; {listening} listening");
    }
    if others > 0 {
        let _ = write!(summary, "; {}", plural(others, "other socket"));
    }
    if family.table.damaged > 0 {
        let _ = write!(summary, "; {} made no sense", plural(family.table.damaged, "record"));
    }
    summary
}

/// Sockets that carry nothing are only counted.
fn is_shown(socket: &Socket) -> bool {
    matches!(socket.kind, Kind::Listening | Kind::Connection)
}

fn table(family: &Family) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(HEADINGS.iter().chain([&WHY]));
    for socket in family.table.sockets.iter().filter(|socket| is_shown(socket)) {
        let local = socket.local.map_or_else(|| "?".to_owned(), |address| address.to_string());
        let descriptor = socket.descriptor.to_string();
        if let (Some(outgoing), Some(incoming)) = (&socket.outgoing, &socket.incoming) {
            let remote = socket.remote.map_or_else(|| "?".to_owned(), |address| address.to_string());
            table.add_row(row([descriptor, local, remote], "out", outgoing));
            table.add_row(row(Default::default(), "in", incoming));
        } else {
            table.add_row([descriptor, local, "listening".to_owned()]);
        }
    }
    for (at, heading) in HEADINGS.iter().enumerate() {
        if let Some(column) = table.column_mut(at).filter(|_| !["local", "remote", "way", "road"].contains(heading)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(names: [String; 3], way: &str, direction: &Direction) -> Vec<String> {
    let road = match direction.road {
        Road::Kernel => "kernel",
        Road::Vmmc => "vmmc",
        Road::Unknown => "?",
    };
    let mut row = names.to_vec();
    row.extend([
        way.to_owned(),
        road.to_owned(),
        bytes(direction.vmmc_bytes),
        count(direction.vmmc_messages),
        bytes(direction.kernel_bytes),
        count(direction.kernel_messages),
        count(direction.switches),
        count(direction.doorbells),
        count(direction.sleeps),
        direction.reason.map_or("", |reason| reason.row().code).to_owned(),
    ]);
    row
}

fn explain_reasons(text: &mut String, report: &Report) {
    if report.reasons.is_empty() {
        return;
    }
    text.push_str("Why a direction is on the kernel road:\n");
    for reason in &report.reasons {
        let _ = writeln!(text, "  {}: {}", reason.code, reason.sentence);
        if !reason.advice.is_empty() {
            let _ = writeln!(text, "    What to do: {}", reason.advice);
        }
        if reason.is_final {
            text.push_str("    It stays so while the connection lives.\n");
        }
    }
    text.push('\n');
}
