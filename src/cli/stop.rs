//! `ig stop`, `ig kill`, `ig run stop`: end a unit or a group, all of it.

use std::process::ExitCode;
use std::time::Duration;

use super::Outcome;
use super::resolve;
use crate::error::{Error, Result};
use crate::record::scope;
use crate::stop::Asker;
use crate::wire::client::Client;
use crate::wire::request::{Request, UnitStop};
use crate::wire::signal::Stopped;
use crate::wire::unit::Unit;
use crate::{neutral, paths, stop};

/// How long a stop may take beside its grace.
const MORE: Duration = Duration::from_secs(10);

/// Stop a unit: its whole process tree, and nothing else
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id, name or the first four characters of an id; several are stopped at the same time
    #[arg(required_unless_present = "group", value_name = "ID")]
    ids: Vec<String>,
    /// All live units of this group
    #[arg(long, value_name = "GROUP", conflicts_with = "ids")]
    group: Option<String>,
    /// How long it may take to end by itself
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// Do not ask, end it at once
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let grace = if self.force { Duration::ZERO } else { self.grace };
        let (units, missing) = match &self.group {
            Some(group) => (members(group)?, Vec::new()),
            None => named(&self.ids),
        };
        all(&units, missing, grace)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is found of those that are named, each once; and why others are not.
fn named(ids: &[String]) -> (Vec<Unit>, Vec<Error>) {
    let (mut units, mut missing): (Vec<Unit>, Vec<Error>) = (Vec::new(), Vec::new());
    for id in ids {
        match resolve::resolve(id).map(|found| found.unit().clone()) {
            Ok(unit) if units.iter().any(|known| known.id == unit.id) => {}
            Ok(unit) => units.push(unit),
            Err(error) => missing.push(error),
        }
    }
    (units, missing)
}

fn members(group: &str) -> Result<Vec<Unit>> {
    let mut units = scope::here();
    units.retain(|unit| unit.terms.group.as_deref() == Some(group) && !unit.status.is_terminal());
    if units.is_empty() {
        let shown = neutral::line(group);
        return Err(Error::new(format!("nothing runs here in the group `{shown}`")).next("ig ps"));
    }
    Ok(units)
}

/// All at the same time: one that is slow to end must not cost the others their grace. Of several
/// failures, the last is returned and the others told.
fn all(units: &[Unit], missing: Vec<Error>, grace: Duration) -> Result<()> {
    let (wired, recorded): (Vec<&Unit>, Vec<&Unit>) =
        units.iter().partition(|unit| !unit.status.is_terminal() && unit.logs.events.is_none());
    let recorded: Vec<Unit> = recorded.into_iter().cloned().collect();
    let mut failures = missing;
    std::thread::scope(|threads| {
        let ask = |unit: &'_ Unit| {
            threads.spawn({
                let unit = unit.clone();
                move || tell(&unit, by_daemon(&unit, grace))
            })
        };
        let asked: Vec<_> = wired.into_iter().map(ask).collect();
        let stopped = stop::stop_all(&recorded, grace, &Asker::own());
        for (unit, stopped) in recorded.iter().zip(stopped) {
            let left = stopped.map(|left| left.iter().map(ToString::to_string).collect());
            failures.extend(tell(unit, left).err());
        }
        failures.extend(asked.into_iter().filter_map(|asked| asked.join().ok()?.err()));
    });
    let last = failures.pop();
    for error in &failures {
        eprintln!("ig: {error}");
    }
    last.map_or(Ok(()), Err)
}

/// Says what became of `unit`, of which `left` could not be ended.
fn tell(unit: &Unit, left: Result<Vec<String>>) -> Result<()> {
    let left = left?;
    let name = neutral::line(&unit.name);
    if left.is_empty() {
        eprintln!("stopped {name} ({}){}", unit.id, scope::far(unit).unwrap_or_default());
        return Ok(());
    }
    Err(Error::new(format!("`{name}` ({}) could not be stopped whole", unit.id))
        .at(format!("still there: {}", left.join("; "))))
}

/// Who asked is noted in a unit's folder, and this one has none: the daemon has to know. Returns what
/// could not be ended, and why.
fn by_daemon(unit: &Unit, grace: Duration) -> Result<Vec<String>> {
    let mut client = Client::connect("ig")?;
    client.be_patient(grace + MORE);
    let stopped: Stopped = client.call(&Request::UnitStop(UnitStop {
        id: unit.id.to_string(),
        project: None,
        session: paths::session(),
        grace_ms: Some(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX)),
    }))?;
    Ok(stopped.why)
}
