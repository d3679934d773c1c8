//! Names: unique among the live units of a project.
//!
//! A lock is held from the look at who lives until the new unit can be seen, so that of two callers
//! with one name only one starts. Without a place for the lock (a read-only disk) there is none: the
//! user's work comes first.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::record::{self, lookup, scope};
use crate::wire::unit::Unit;
use crate::{neutral, paths, secure_fs, stop};

/// How long our turn is waited for: somebody who holds the lock and hangs must not hold up everybody.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest name, characters.
const LONGEST: usize = 100;

/// The names of this project, while nobody else starts a unit here.
#[derive(Debug)]
pub struct Names {
    units: Vec<Unit>,
    _lock: Option<File>,
}

impl Names {
    /// Waits until it is our turn, then looks who lives.
    pub fn lock() -> Self {
        let lock = lock(&paths::state_dir()).ok();
        Self { units: scope::here(), _lock: lock }
    }

    /// The live units that have `name`: one at most of those that were started under this lock, but
    /// what runs in terminals may be called as it likes.
    pub fn holders(&self, name: &str) -> Vec<&Unit> {
        let is_one = |unit: &&Unit| !unit.status.is_terminal() && unit.name == name;
        self.units.iter().filter(is_one).collect()
    }

    /// The live unit that has `name`, if one has.
    ///
    /// # Errors
    /// More than one has it.
    pub fn holder(&self, name: &str) -> Result<Option<&Unit>> {
        match self.holders(name).as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            many => Err(lookup::ambiguous(name, many)),
        }
    }

    /// `name`, when a unit can be called so and no live one is.
    pub fn free(&self, name: &str) -> Result<String> {
        check(name)?;
        match self.holders(name).as_slice() {
            [] => Ok(name.to_owned()),
            [one] => Err(taken(one)),
            many => Err(lookup::ambiguous(name, many).next("another name")),
        }
    }

    /// `wish`, or `wish-2` and so on when a live unit is called so.
    pub fn unique(&self, wish: &str) -> String {
        let numbered = (2..).map(|number| format!("{wish}-{number}"));
        let mut wishes = std::iter::once(wish.to_owned()).chain(numbered);
        wishes.find(|name| self.holders(name).is_empty()).unwrap_or_else(|| wish.to_owned())
    }
}

/// One lock for all projects: it is held for a moment, and leaves no file in theirs.
fn lock(dir: &Path) -> std::io::Result<File> {
    secure_fs::dir(dir)?;
    let file = secure_fs::append(&dir.join("start.lock"))?;
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != Errno::WOULDBLOCK || Instant::now() >= deadline {
            return Err(error.into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(file)
}

fn check(name: &str) -> Result<()> {
    let shown = || neutral::cell(name, 40);
    if name.trim().is_empty() {
        return Err(Error::usage("a name cannot be empty"));
    }
    if name.chars().count() > LONGEST {
        return Err(Error::usage(format!("the name `{}` is longer than {LONGEST}", shown())));
    }
    if neutral::line(name) != name || name.starts_with('-') {
        return Err(Error::usage(format!("`{}` cannot be a name", shown()))
            .next("letters, digits, and what can be seen"));
    }
    Ok(())
}

/// Somebody asked for its end, and it takes its time.
pub fn stopping(unit: &Unit) -> Error {
    let (name, id) = (neutral::line(&unit.name), &unit.id);
    Error::new(format!("`{name}` ({id}) is stopping, and still there"))
        .next(format!("ig wait {id} --until exit, then again; or ig stop --force {id}"))
}

fn taken(unit: &Unit) -> Error {
    if stop::was_requested(&record::folder_of(unit)) {
        return stopping(unit);
    }
    let pid = unit.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let name = neutral::line(&unit.name);
    Error::new(format!(
        "`{name}` runs already: {}{pid}, {}",
        unit.id,
        neutral::cell(&unit.command, 60)
    ))
    .next(format!("ig up {name} to use it, ig stop {name} to end it, or another name"))
}
