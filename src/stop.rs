//! Ending a unit: its whole process tree, TERM first, KILL after the grace, and nobody else.
//!
//! A process is the unit's when it descends from the unit's own process, is in a group or session
//! which that led, carries the unit's id in the environment it was started with, or is in the cgroup
//! that was made for it. What was ended is looked for again until nothing new turns up: a process may
//! start others while it ends.

pub mod cgroup;

use std::io::Write;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::{Error, Result};
use crate::id::UnitId;
use crate::os::{self, Identity};
use crate::record::{self, Folder};
use crate::wire::unit::Unit;
use crate::{paths, secure_fs};

/// How long processes may take to end after TERM, unless somebody says otherwise.
pub const GRACE: Duration = Duration::from_secs(10);

/// How long the kernel may take to end a process after KILL, and a runner to write its record.
const LAST: Duration = Duration::from_secs(2);

/// The file in a unit's folder that says that its end was asked for, and by which sessions: one
/// a line, none when it was a person.
pub const REQUESTED: &str = "stop";

/// How often processes that turn up late are ended too.
const ROUNDS: usize = 8;

/// How often in a row nothing must be found: a process that executes another program at that very
/// moment shows no environment.
const SURE: usize = 2;

/// Ends `unit` for the session we belong to. Returns what could not be ended: empty when all of it is
/// gone.
pub fn stop(unit: &Unit, grace: Duration) -> Result<Vec<Identity>> {
    stop_for(unit, grace, paths::session().as_deref())
}

/// Ends `unit` for `session`, which needs not be told of it.
pub fn stop_for(unit: &Unit, grace: Duration, session: Option<&str>) -> Result<Vec<Identity>> {
    if unit.status.is_terminal() {
        return Err(Error::new(format!(
            "`{}` ({}) has ended already: {}",
            unit.name,
            unit.id,
            unit.status.word()
        )));
    }
    if unit.process.is_none() && !is_between(unit) && processes(unit).is_empty() {
        return Err(Error::new(format!("`{}` ({}) has no process of its own", unit.name, unit.id))
            .next(format!("end it where it runs, then ig run complete {}", unit.id)));
    }
    let folder = record::folder_of(unit);
    // Before anything is looked for: from here on nothing is started again.
    leave_word(&folder, session);
    let (mut known, mut quiet) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let now = folder.load().unwrap_or_else(|_| unit.clone());
        let found = found_late(&now, &known);
        if found.is_empty() && !is_between(&now) {
            quiet += 1;
            if quiet == SURE {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        known.extend(found.iter().cloned());
        end(found, grace);
        let runner = now.runner.as_ref();
        wait(LAST, || !runner.is_some_and(Identity::is_alive));
    }
    if quiet < SURE {
        cgroup::kill(unit);
    }
    known.retain(Identity::is_alive);
    cgroup::remove(unit);
    Ok(known)
}

/// Whoever asked is added to those who did before.
fn leave_word(folder: &Folder, session: Option<&str>) {
    let line = session.map(|session| format!("{session}\n")).unwrap_or_default();
    if let Ok(mut file) = secure_fs::append(&folder.file(REQUESTED)) {
        let _ = file.write_all(line.as_bytes());
    }
}

/// Whether its runner is about to start its command, for the first time or again.
fn is_between(unit: &Unit) -> bool {
    let runner = unit.runner.as_ref().filter(|_| unit.terms.background && unit.process.is_none());
    runner.is_some_and(Identity::is_alive)
}

/// Whether somebody asked for the end of the unit in `folder`.
pub fn was_requested(folder: &Folder) -> bool {
    secure_fs::exists(&folder.file(REQUESTED))
}

/// Ends what the unit `id`, whose own process is gone, left behind: in the groups and sessions of
/// `leaders`, and elsewhere.
pub fn sweep(leaders: &[u32], id: &UnitId) -> Vec<Identity> {
    let mut left = os::members(leaders);
    left.extend(marked(id));
    left.retain(|process| process.pid != std::process::id());
    end(left, GRACE)
}

/// All that is `unit`'s, but its runner and ourselves.
pub fn processes(unit: &Unit) -> Vec<Identity> {
    let mut found: Vec<Identity> = unit.process.as_ref().map(os::tree_of).unwrap_or_default();
    found.extend(marked(&unit.id));
    found.extend(cgroup::members(unit));
    let spared = spared(unit);
    let mut seen = Vec::new();
    found.retain(|process| {
        let new = !spared.contains(&process.pid) && !seen.contains(&process.pid);
        seen.push(process.pid);
        new
    });
    found
}

/// What is `unit`'s, or in a group of those that are `known` already, and is not known itself.
fn found_late(unit: &Unit, known: &[Identity]) -> Vec<Identity> {
    let mut found = processes(unit);
    found.extend(known.iter().flat_map(os::tree_of));
    let spared = spared(unit);
    let mut new: Vec<Identity> = Vec::new();
    for process in found {
        if !known.contains(&process) && !new.contains(&process) && !spared.contains(&process.pid) {
            new.push(process);
        }
    }
    new
}

/// The runner, or who keeps the output in its place, has the end to record; we have to bring it about.
fn spared(unit: &Unit) -> Vec<u32> {
    let ours = [&unit.runner, &unit.keeper].into_iter().flatten().map(|ours| ours.pid);
    ours.chain([std::process::id()]).collect()
}

fn marked(id: &UnitId) -> Vec<Identity> {
    os::started_with(&format!("IDLERGEAR_RUN_ID={id}"), 0)
}

/// Ends exactly these; returns what could not be.
pub fn end(processes: Vec<Identity>, grace: Duration) -> Vec<Identity> {
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
