//! What a command leaves behind when it ends: named, so that nobody has to wonder what still holds
//! the port.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::End;
use crate::os::{self, Identity};
use crate::wire::unit::Unit;

/// What ends together with the command may take so long to be gone.
const MOMENT: Duration = Duration::from_millis(50);

/// The field of a record's metadata that lists them.
const SURVIVORS: &str = "survivors";

/// Notes each process of `unit` that lives on in its metadata.
///
/// Who was started later than the command is looked at always. All processes are only where something
/// lives on for sure: that takes its time.
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
    let mark = format!("IDLERGEAR_RUN_ID={}", unit.id);
    let mut found = os::started_with(&mark, if end.leaves { 0 } else { pid });
    if end.leaves {
        found.extend(os::members(&[pid]));
    }
    let mut pids = Vec::new();
    for Identity { pid, .. } in found {
        if pid != std::process::id() && !pids.contains(&pid) {
            pids.push(pid);
        }
    }
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
