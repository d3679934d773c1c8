//! Ending a unit: its whole process tree, TERM first, KILL after the grace, and nobody else. All that
//! ig ever signals is decided here.
//!
//! ```text
//! claim     whether a unit may be stopped: it is owned, it offered itself, or neither
//! offer     which processes somebody may offer when he registers
//! family    which processes are a unit's
//! others    units inside it, which are their own
//! spared    what is never signalled, and why
//! shell     whether a process is an interactive shell
//! adopt     what a runner does so that its whole tree can be told
//! ending    TERM, KILL, and looking again, for many units at once
//! leftovers what units that have ended left behind
//! cgroup    the cgroup made for a unit
//! ```
//!
//! The rule is systemd's: stopping a live unit ends all that descends from its runner. Not what is
//! older than the runner, not units of their own that were started inside it, not the daemon. What
//! was ended is looked for again until nothing new turns up: a process may start others while it ends.

mod adopt;
pub mod cgroup;
mod claim;
mod ending;
mod family;
#[cfg(feature = "full")]
mod leftovers;
mod look;
mod offer;
mod others;
mod shell;
mod spared;

use std::io::Write;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::os::Identity;
use crate::record::{self, Folder};
use crate::wire::unit::Unit;
use crate::{paths, secure_fs};

pub use adopt::adopt;
pub use claim::{Claim, claim};
pub use ending::{end, sweep};
pub(crate) use family::{as_helper, is_helper};
#[cfg(feature = "full")]
pub use leftovers::{Leftover, leftovers};
pub use look::Look;
pub use offer::{check as check_offer, is_anybodys};
pub use spared::{Left, Why};

/// How long processes may take to end after TERM, unless somebody says otherwise.
pub const GRACE: Duration = Duration::from_secs(10);

/// How long the kernel may take to end a process after KILL, and a runner to write its record.
const LAST: Duration = Duration::from_secs(2);

/// The file in a unit's folder that says that its end was asked for, and by which sessions: one
/// a line, none when it was a person.
pub const REQUESTED: &str = "stop";

/// Who asks for an end.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    /// The session that needs not be told of it.
    pub session: Option<String>,
    /// The process that asked, when it is not this one: what is around it is spared, too.
    pub process: Option<u32>,
}

impl Asker {
    /// This process, for the session it belongs to.
    pub fn own() -> Self {
        Self { session: paths::session(), process: None }
    }
}

/// Ends `unit` for us. Returns what could not be ended: empty when all of it is gone.
pub fn stop(unit: &Unit, grace: Duration) -> Result<Vec<Left>> {
    stop_for(unit, grace, &Asker::own())
}

/// Ends `unit` for `asker`.
pub fn stop_for(unit: &Unit, grace: Duration, asker: &Asker) -> Result<Vec<Left>> {
    stop_all(std::slice::from_ref(unit), grace, asker).pop().unwrap_or_else(|| Ok(Vec::new()))
}

/// Ends all of `units` at the same time: one that is slow must not cost the others their grace, and
/// looking at all processes is as dear for many as for one.
pub fn stop_all(units: &[Unit], grace: Duration, asker: &Asker) -> Vec<Result<Vec<Left>>> {
    let look = Look::now(asker.process);
    let may: Vec<Result<Claim>> = units.iter().map(|unit| may_stop(unit, &look)).collect();
    let (jobs, numbers): (Vec<ending::Job>, Vec<usize>) = units
        .iter()
        .zip(&may)
        .enumerate()
        .filter_map(|(number, (unit, may))| {
            let claim = *may.as_ref().ok()?;
            // Before anything is looked for: from here on nothing is started again.
            leave_word(&record::folder_of(unit), asker.session.as_deref());
            Some((ending::Job::new(unit, claim), number))
        })
        .unzip();
    let mut results: Vec<Result<Vec<Left>>> =
        may.into_iter().map(|may| may.map(|_| Vec::new())).collect();
    for (left, number) in ending::run(jobs, grace, look).into_iter().zip(numbers) {
        results[number] = Ok(left);
    }
    results
}

fn may_stop(unit: &Unit, look: &Look) -> Result<Claim> {
    if unit.status.is_terminal() {
        return Err(Error::new(format!(
            "`{}` ({}) has ended already: {}",
            crate::neutral::line(&unit.name),
            unit.id,
            unit.status.word()
        )));
    }
    claim::of(unit, look)
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

/// All processes that are `unit`'s, but its runner and ourselves; of one that has ended, those that
/// it left behind.
pub fn processes(unit: &Unit) -> Vec<Identity> {
    Look::now(None).processes(unit)
}
