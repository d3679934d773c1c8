//! What a command leaves behind when it ends: named, so that nobody has to wonder what still holds
//! the port.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::End;
use crate::wire::unit::Unit;
use crate::{os, stop};

/// What ends together with the command may take so long to be gone.
const MOMENT: Duration = Duration::from_millis(50);

/// The field of a record's metadata that lists them.
const SURVIVORS: &str = "survivors";

/// Notes each process of `unit` that lives on in its metadata.
///
/// On Linux orphans come to us: without children but our own helpers there is nobody, and no need to
/// look at all processes, which takes its time.
pub(super) fn note(unit: &mut Unit, end: End) {
    let mut survivors = pids(unit, end);
    if !survivors.is_empty() {
        std::thread::sleep(MOMENT);
        survivors = pids(unit, end);
    }
    let named = |pid: u32| json!({ "pid": pid, "command": os::command_line(pid) });
    if !survivors.is_empty() {
        let survivors: Vec<Value> = survivors.into_iter().map(named).collect();
        unit.metadata.insert(SURVIVORS.to_owned(), survivors.into());
    }
}

fn pids(unit: &Unit, end: End) -> Vec<u32> {
    let Some(pid) = unit.pid else { return Vec::new() };
    // The leader of the command's session is a copy of us.
    let is_ours = |pid: u32| stop::is_helper(pid) || os::is_childless_copy(pid);
    let mut orphans = os::own_children().into_iter().filter(|pid| !is_ours(*pid));
    if cfg!(target_os = "linux") && orphans.next().is_none() {
        return Vec::new();
    }
    let mut found = stop::processes(unit);
    if cfg!(not(target_os = "linux")) && end.leaves {
        found.extend(os::members(&[pid]));
    }
    let mut pids: Vec<u32> = found.iter().map(|process| process.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// One line for each of them: `still running: pid 4242 sleep 60`.
pub fn behind(unit: &Unit) -> String {
    let mut text = String::new();
    let survivors = unit.metadata.get(SURVIVORS).and_then(Value::as_array);
    for survivor in survivors.into_iter().flatten() {
        let command = survivor["command"].as_str().unwrap_or_default();
        let _ = writeln!(text, "still running: pid {} {command}", survivor["pid"]);
    }
    text
}
