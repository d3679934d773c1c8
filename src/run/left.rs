//! What a command leaves behind when it ends: named, so that nobody has to wonder what still holds
//! the port.

use crate::os;
use crate::wire::unit::Unit;

/// One line for each process of `unit` that lives on: `still running: pid 4242 sleep 60`.
pub fn behind(unit: &Unit) -> String {
    let mut left = os::started_with(&format!("IDLERGEAR_RUN_ID={}", unit.id));
    left.extend(unit.pid.into_iter().flat_map(os::members));
    left.sort_by_key(|process| process.pid);
    left.dedup();
    left.retain(|process| process.pid != std::process::id());
    let line = |process: os::Identity| {
        let pid = process.pid;
        format!("still running: pid {pid} {}\n", os::command_line(pid))
    };
    left.into_iter().map(line).collect()
}
