//! What a command leaves behind when it ends: named, so that nobody has to wonder what still holds
//! the port.

use std::fmt::Write;

use super::End;
use crate::os;
use crate::wire::unit::Unit;

/// One line for each process of `unit` that lives on: `still running: pid 4242 sleep 60`.
///
/// Looking at all processes takes its time, so it is done only where something lives on for sure.
pub fn behind(unit: &Unit, end: End) -> String {
    let mut text = String::new();
    for pid in if end.leaves { pids(unit) } else { Vec::new() } {
        let _ = writeln!(text, "still running: pid {pid} {}", os::command_line(pid));
    }
    text
}

fn pids(unit: &Unit) -> Vec<u32> {
    let mut left = os::started_with(&format!("IDLERGEAR_RUN_ID={}", unit.id));
    left.extend(os::members(unit.pid.as_slice()));
    let mut pids: Vec<u32> = left.iter().map(|process| process.pid).collect();
    pids.retain(|pid| *pid != std::process::id());
    pids.sort_unstable();
    pids.dedup();
    pids
}
