//! `ig stop`, `ig kill`, `ig run stop`: end a unit or a group, all of it.

use std::process::ExitCode;
use std::time::Duration;

use super::Outcome;
use super::resolve::{self, Found};
use crate::error::{Error, Result};
use crate::os::{self, Identity};
use crate::record::scope;
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
        let units = match &self.group {
            Some(group) => members(group)?,
            None => named(&self.ids)?,
        };
        all(&units, grace)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn one(unit: &Unit, grace: Duration) -> Result<()> {
    let left = end(unit, grace)?;
    let name = neutral::line(&unit.name);
    if left.is_empty() {
        eprintln!("stopped {name} ({}){}", unit.id, scope::far(unit).unwrap_or_default());
        return Ok(());
    }
    let named: Vec<String> = left
        .iter()
        .map(|process| {
            format!("pid {} ({})", process.pid, neutral::line(&os::command_line(process.pid)))
        })
        .collect();
    Err(Error::new(format!("`{name}` could not be stopped whole"))
        .at(format!("still there: {}", named.join(", "))))
}

/// Returns what could not be ended.
fn end(unit: &Unit, grace: Duration) -> Result<Vec<Identity>> {
    let is_wired = !unit.status.is_terminal() && unit.logs.events.is_none();
    let found = is_wired.then(|| resolve::resolve(unit.id.as_str()));
    let Some(Ok(Found::DaemonOnly(mut client, _))) = found else { return stop::stop(unit, grace) };
    // Who asked is noted in a unit's folder, and it has none: the daemon has to know.
    client.be_patient(grace + MORE);
    let stopped: Stopped = client.call(&Request::UnitStop(UnitStop {
        id: unit.id.to_string(),
        project: None,
        session: paths::session(),
        grace_ms: Some(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX)),
    }))?;
    Ok(stopped.left.into_iter().filter_map(Identity::of).collect())
}

/// Each of them once. When one is not to be found, none is stopped.
fn named(ids: &[String]) -> Result<Vec<Unit>> {
    let mut units: Vec<Unit> = Vec::new();
    for id in ids {
        let unit = resolve::resolve(id)?.unit().clone();
        if !units.iter().any(|known| known.id == unit.id) {
            units.push(unit);
        }
    }
    Ok(units)
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
fn all(units: &[Unit], grace: Duration) -> Result<()> {
    let ends: Vec<Result<()>> = std::thread::scope(|threads| {
        let ends: Vec<_> =
            units.iter().map(|unit| threads.spawn(move || one(unit, grace))).collect();
        ends.into_iter().filter_map(|end| end.join().ok()).collect()
    });
    let mut failures: Vec<Error> = ends.into_iter().filter_map(Result::err).collect();
    let last = failures.pop();
    for error in &failures {
        eprintln!("ig: {error}");
    }
    last.map_or(Ok(()), Err)
}
