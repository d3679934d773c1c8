//! Waiting for a unit: until it is ready, has ended, is idle, or something can be seen of it.
//!
//! ```text
//! spec      what can be waited for, as it is written (pure)
//! check     whether it is so now, and what is missing when it is not
//! words     why it was in vain
//! http      one small question to a server of this machine
//! look      the same for a runner, which has it noted
//! ```
//!
//! Files and processes are looked at again and again; there is no daemon in it.

mod check;
mod http;
mod look;
pub mod spec;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use check::Check;
pub use look::look_until_ready;
pub use spec::{Spec, Until};

use crate::ending;
use crate::error::{Error, ErrorKind, Result, exit};
use crate::id::UnitId;
use crate::neutral;
use crate::record::lookup::Asked;
use crate::record::{self, Folder, scope};
use crate::time;
use crate::wire::unit::Unit;

/// The first pause between two looks.
const SHORTEST: Duration = Duration::from_millis(20);

/// The pause between two looks for a unit that is not there.
const LONGEST: Duration = Duration::from_millis(50);

/// How long the successor of a unit that has ended may take to come.
const SUCCESSOR: Duration = Duration::from_secs(2);

/// Whether `unit` is said to be ready some time, and is not yet: one look, no question asked of anybody.
/// What takes more than a look was looked at by its runner's helper.
pub fn is_awaited(unit: &Unit) -> bool {
    let wanted = match unit.terms.ready_when.as_deref().and_then(Spec::of_record) {
        _ if unit.ready => return false,
        None => return false,
        Some(Spec::Port(port)) => port,
        Some(_) => return true,
    };
    let own = check::ports(unit);
    wanted.map_or(own.is_empty(), |port| !own.contains(&port))
}

/// Somebody who waits for one unit.
#[derive(Debug, Clone)]
pub struct Wait {
    /// What for.
    pub until: Until,
    /// How long.
    pub limit: Duration,
    /// Where paths and commands of `until` are looked for.
    pub here: PathBuf,
}

impl Wait {
    /// Waits. Returns the exit code to end with, and the unit as it was then.
    pub fn run(&self, folder: &Folder) -> Result<(u8, Unit)> {
        self.run_to(folder, Instant::now() + self.limit)
    }

    /// Waits for a unit that may have yet to appear. What had ended before we came may be an old run
    /// whose successor is on its way.
    pub fn run_for(&self, who: &str) -> Result<(u8, Unit)> {
        let (began, now) = (time::now(), Instant::now());
        let (deadline, patience) = (now + self.limit, now + SUCCESSOR.min(self.limit));
        let is_id = Asked::of(who).id().is_some();
        loop {
            match scope::find_filed(who) {
                Ok((unit, folder)) if !unit.status.is_terminal() || is_id => {
                    return self.run_to(&folder, deadline);
                }
                // One form of time, so that they compare as text.
                Ok((unit, folder)) if unit.ended_at >= Some(began.clone()) => {
                    return self.run_to(&folder, deadline);
                }
                Ok((_, folder)) if Instant::now() >= patience => {
                    return self.run_to(&folder, deadline);
                }
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Err(_) if Instant::now() >= deadline => return Err(self.nothing_came(who)),
                _ => sleep(LONGEST),
            }
        }
    }

    /// Waits for a unit called `name` in this project that is none of `before`, and then for what this
    /// wait is for.
    pub fn run_for_next(&self, name: &str, before: &BTreeSet<UnitId>) -> Result<(u8, Unit)> {
        let deadline = Instant::now() + self.limit;
        loop {
            // Of several, the first one that started: it is what was waited for.
            let next = scope::others(before).into_iter().find(|unit| unit.name == name);
            if let Some(unit) = next {
                return self.run_to(&record::folder_of(&unit), deadline);
            }
            if Instant::now() >= deadline {
                return Err(self.nothing_came(name));
            }
            sleep(LONGEST);
        }
    }

    fn nothing_came(&self, who: &str) -> Error {
        let (who, limit) = (neutral::line(who), short(self.limit));
        Error::new(format!("nothing called `{who}` appeared in {limit}"))
            .next("ig ps --all")
            .code(exit::TIMED_OUT)
    }

    fn run_to(&self, folder: &Folder, deadline: Instant) -> Result<(u8, Unit)> {
        let mut pause = SHORTEST;
        let mut check = Check::new(&self.until, folder, &self.here, &folder.observe()?);
        loop {
            let unit = folder.observe()?;
            let missing =
                match check.look(&unit, deadline.saturating_duration_since(Instant::now())) {
                    Ok(()) => return Ok((self.code(&unit), unit)),
                    Err(missing) => missing,
                };
            if unit.status.is_terminal() {
                return Err(words::early(&unit, &self.until.done()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.timed_out(&unit, &missing));
            }
            sleep(pause.min(left));
            pause = (pause * 3 / 2).min(self.until.pace());
        }
    }

    fn code(&self, unit: &Unit) -> u8 {
        if self.until == Until::Exit { ending::code(unit) } else { exit::OK }
    }

    fn timed_out(&self, unit: &Unit, missing: &str) -> Error {
        let (name, lacking) = (neutral::line(&unit.name), self.until.lacking());
        let after = short(self.limit);
        // That it still runs says it all.
        let missing =
            if self.until == Until::Exit { String::new() } else { format!(": {missing}") };
        let mut problem = format!("`{name}` ({}) {lacking} after {after}{missing}", unit.id);
        problem.push_str(&words::last_lines(unit));
        Error::new(problem)
            .next(format!("ig logs {}, or a longer --timeout", unit.id))
            .code(exit::TIMED_OUT)
    }
}

/// `60s`, `1m 05s`, `0.5s`.
pub fn short(length: Duration) -> String {
    if length.subsec_millis() == 0 && length < Duration::from_mins(1) {
        return format!("{}s", length.as_secs());
    }
    time::human(length)
}
