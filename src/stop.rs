//! Ending a unit: its whole process tree, TERM first, KILL after the grace, and nobody else.
//!
//! A process is the unit's when it descends from the unit's own process, is in a group or session
//! which that led, or carries the unit's id in the environment it was started with.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::{Error, Result};
use crate::id::UnitId;
use crate::os::{self, Identity};
use crate::private;
use crate::record::{self, Folder};
use crate::wire::unit::Unit;

/// How long processes may take to end after TERM, unless somebody says otherwise.
pub const GRACE: Duration = Duration::from_secs(10);

/// How long the kernel may take to end a process after KILL, and a runner to write its record.
const LAST: Duration = Duration::from_secs(2);

/// The file in a unit's folder that says that its end was asked for.
const REQUESTED: &str = "stop";

/// Ends `unit`. Returns what could not be ended: empty when all of it is gone.
pub fn stop(unit: &Unit, grace: Duration) -> Result<Vec<Identity>> {
    if unit.status.is_terminal() {
        return Err(Error::new(format!(
            "`{}` ({}) has ended already: {}",
            unit.name,
            unit.id,
            unit.status.word()
        )));
    }
    let processes = processes(unit);
    if processes.is_empty() && unit.process.is_none() {
        return Err(Error::new(format!("`{}` ({}) has no process of its own", unit.name, unit.id))
            .next(format!("end it where it runs, then ig run complete {}", unit.id)));
    }
    let folder = record::folder_of(unit);
    let _ = private::append(&folder.file(REQUESTED));
    let left = end(processes, grace);
    let runner = unit.runner.as_ref();
    wait(LAST, || !runner.is_some_and(Identity::is_alive));
    Ok(left)
}

/// Whether somebody asked for the end of the unit in `folder`.
pub fn was_requested(folder: &Folder) -> bool {
    folder.file(REQUESTED).exists()
}

/// Ends what the unit `id`, whose own process is gone, left behind: in the groups and sessions of
/// `leaders`, and elsewhere.
pub fn sweep(leaders: &[u32], id: &UnitId) -> Vec<Identity> {
    let mut left = os::members(leaders);
    left.extend(marked(id));
    left.retain(|process| process.pid != std::process::id());
    end(left, GRACE)
}

fn processes(unit: &Unit) -> Vec<Identity> {
    let mut found = marked(&unit.id);
    if let Some(process) = unit.process.as_ref().filter(|process| process.is_alive()) {
        found.extend(os::tree(process.pid));
    }
    // The runner stays: it has the end to record.
    let spared = [unit.runner.as_ref().map(|runner| runner.pid), Some(std::process::id())];
    found.retain(|process| !spared.contains(&Some(process.pid)));
    found
}

fn marked(id: &UnitId) -> Vec<Identity> {
    os::started_with(&format!("IDLERGEAR_RUN_ID={id}"))
}

fn end(processes: Vec<Identity>, grace: Duration) -> Vec<Identity> {
    let gone = || !processes.iter().any(Identity::is_alive);
    for signal in [Signal::TERM, Signal::KILL] {
        for process in processes.iter().filter(|process| process.is_alive()) {
            os::signal(process, signal);
            // What is stopped would not hear of it.
            os::signal(process, Signal::CONT);
        }
        if wait(if signal == Signal::TERM { grace } else { LAST }, gone) {
            return Vec::new();
        }
    }
    processes.into_iter().filter(Identity::is_alive).collect()
}

/// Looks every few milliseconds whether `done`; false when the time was not enough.
fn wait(limit: Duration, done: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
