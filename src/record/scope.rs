//! Which units a command speaks of: those of the current project, or all; and the one way from what a
//! person typed to one of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::lookup::{self, Asked};
use super::{Folder, list, sort};
use crate::error::{Error, ErrorKind, Result};
use crate::id::UnitId;
use crate::wire::client::Client;
use crate::wire::unit::{Status, Unit};
use crate::{neutral, paths, secure_fs};

/// Units of the current project (or, outside of one, of no project), sorted by start.
pub fn here() -> Vec<Unit> {
    others(&BTreeSet::new())
}

/// Ids of all that has a folder where this project keeps its records, without a look at them.
pub fn ids() -> BTreeSet<UnitId> {
    places().flat_map(|runs| ids_in(&runs)).collect()
}

/// Units of the current project that are none of `known`, sorted by start.
pub fn others(known: &BTreeSet<UnitId>) -> Vec<Unit> {
    let project = paths::current_project();
    let mut units = Vec::new();
    for runs in places() {
        let new = ids_in(&runs).into_iter().filter(|id| !known.contains(id));
        let seen = new.filter_map(|id| Folder::at(runs.join(id.as_str())).observe_any().ok());
        let is_own = project.as_deref().is_some_and(|root| runs == paths::runs_dir(Some(root)));
        units.extend(seen.filter(|unit| is_own || unit.project == project));
    }
    sort(&mut units);
    units
}

/// Where the current project has its records: a folder of its own, and the user's when it could not
/// be written to.
fn places() -> impl Iterator<Item = PathBuf> {
    let project = paths::current_project().map(|root| paths::runs_dir(Some(&root)));
    project.into_iter().chain([paths::runs_dir(None)])
}

fn ids_in(runs: &Path) -> Vec<UnitId> {
    let names = secure_fs::list(runs).unwrap_or_default();
    names.iter().filter_map(|name| UnitId::parse(name.to_str()?)).collect()
}

/// Folders with runs that are known: this project's, the user's, and those with live units.
fn known() -> Vec<PathBuf> {
    let linked = ids_in(&paths::live_dir()).into_iter().filter_map(|id| Folder::linked(&id));
    let mut runs: Vec<PathBuf> =
        linked.filter_map(|folder| folder.path().parent().map(PathBuf::from)).collect();
    runs.push(paths::runs_dir(None));
    runs.extend(paths::current_project().map(|project| paths::runs_dir(Some(&project))));
    runs.sort();
    runs.dedup();
    runs
}

/// Units of every project that is known to have live ones, of this one, and of the user.
pub fn everywhere() -> Vec<Unit> {
    let mut units: Vec<Unit> = known().iter().flat_map(|runs| list(runs)).collect();
    sort(&mut units);
    units.dedup_by(|a, b| a.id == b.id);
    units
}

/// What somebody meant.
#[derive(Debug)]
pub enum Found {
    /// It has a record.
    Recorded(Box<Unit>, Folder),
    /// The daemon alone knows it; a connection to say more about it.
    DaemonOnly(Client, Box<Unit>),
}

impl Found {
    /// The unit as it stands.
    pub fn unit(&self) -> &Unit {
        match self {
            Self::Recorded(unit, _) | Self::DaemonOnly(_, unit) => unit,
        }
    }
}

/// The unit that `query` means, be it recorded or the daemon's alone: an id in any project, a name or
/// the beginning of an id in this one. A daemon that is not there has none, so it is not started.
///
/// # Errors
/// None, or more than one, is meant: the kind of the error says which.
pub fn resolve(query: &str) -> Result<Found> {
    let found = resolve_any(query)?;
    if let Found::Recorded(unit, folder) = &found
        && let Some(error) = damage(unit, folder)
    {
        return Err(error);
    }
    Ok(found)
}

fn resolve_any(query: &str) -> Result<Found> {
    if let Some(found) = by_id(query) {
        return found.map(recorded);
    }
    let filed = named(query);
    match (filed, ask_daemon(query)) {
        // The same one, or one that the daemon has not heard of.
        (filed, None) => filed.map(recorded),
        (Ok((unit, folder)), Some(Err(error))) => match error.kind() {
            ErrorKind::Ambiguous => Err(error),
            _ => Ok(recorded((unit, folder))),
        },
        (Err(_), Some(Err(error))) if error.kind() == ErrorKind::Ambiguous => Err(error),
        (Err(error), Some(Err(_))) => Err(error),
        (Ok((unit, folder)), Some(Ok((client, other)))) => {
            let is_other = other.id != unit.id && other.logs.events.is_none();
            match (is_other, unit.status.is_terminal(), other.status.is_terminal()) {
                (true, true, false) => Ok(Found::DaemonOnly(client, Box::new(other))),
                (true, false, false) => Err(lookup::ambiguous(query, &[&unit, &other])),
                _ => Ok(recorded((unit, folder))),
            }
        }
        (Err(error), Some(Ok((client, unit)))) => match record_of(&unit) {
            _ if error.kind() == ErrorKind::Ambiguous => Err(error),
            Some(folder) => folder.observe().map(|unit| recorded((unit, folder))),
            None if unit.logs.events.is_some() => Err(error),
            None => Ok(Found::DaemonOnly(client, Box::new(unit))),
        },
    }
}

fn recorded((unit, folder): (Unit, Folder)) -> Found {
    Found::Recorded(Box::new(unit), folder)
}

/// The same, for what is done with records alone: where files know it, the daemon is not asked.
///
/// # Errors
/// As [`resolve`]; or it has no record, or a damaged one.
pub fn find(query: &str) -> Result<(Unit, Folder)> {
    let (unit, folder) = find_any(query)?;
    match damage(&unit, &folder) {
        Some(error) => Err(error),
        None => Ok((unit, folder)),
    }
}

/// What is wrong with the record of `unit`, when that is damaged.
pub fn damage(unit: &Unit, folder: &Folder) -> Option<Error> {
    if unit.status == Status::Unknown { folder.load().err() } else { None }
}

/// The same with those whose record is damaged: their logs can still be read.
///
/// # Errors
/// As [`resolve`]; or it has no record.
pub fn find_any(query: &str) -> Result<(Unit, Folder)> {
    let error = match find_filed(query) {
        Err(error) if error.kind() == ErrorKind::NotFound => error,
        found => return found,
    };
    let Some(Ok((_, unit))) = ask_daemon(query) else { return Err(error) };
    match record_of(&unit) {
        Some(folder) => Ok((folder.observe_any()?, folder)),
        None if unit.logs.events.is_some() => Err(error),
        None => {
            let (name, id) = (neutral::line(&unit.name), &unit.id);
            Err(Error::new(format!("`{name}` ({id}) has no record: the daemon alone knows it"))
                .next(format!("ig daemon logs {id}")))
        }
    }
}

/// The same, from the files alone.
///
/// # Errors
/// As [`resolve`].
pub fn find_filed(query: &str) -> Result<(Unit, Folder)> {
    by_id(query).unwrap_or_else(|| named(query))
}

/// By its name or the beginning of its id, in this project. What is called so elsewhere is told.
fn named(query: &str) -> Result<(Unit, Folder)> {
    let here = here();
    match lookup::find(&here, query) {
        Ok(unit) => Ok((unit.clone(), super::folder_of(unit))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let project = paths::current_project();
            Err(lookup::elsewhere(&everywhere(), query, project.as_deref()).unwrap_or(error))
        }
        Err(error) => Err(error),
    }
}

/// A whole id leads straight to its record, wherever that is. One whose record cannot be read is there
/// all the same: why, is what has to be said.
fn by_id(query: &str) -> Option<Result<(Unit, Folder)>> {
    let asked = Asked::of(query);
    let id = asked.id()?;
    let project = paths::current_project();
    // The link is ours alone; what stands in a project, anybody may have put there.
    let live = Folder::linked(&id).map(|folder| folder.path().to_path_buf());
    let near = [paths::runs_dir(project.as_deref()), paths::runs_dir(None)];
    let mut near = live.into_iter().chain(near.into_iter().map(|runs| runs.join(id.as_str())));
    let found = near.find(|folder| is_record(folder)).or_else(|| {
        let made = secure_fs::made::places(id.as_str()).into_iter();
        made.chain(known().into_iter().map(|runs| runs.join(id.as_str()))).find(|f| is_record(f))
    });
    let folder = Folder::at(found?);
    match folder.observe_any() {
        Ok(unit) if unit.id == id => Some(asked.confirm(&unit).map(|()| (unit, folder))),
        Err(error) => Some(Err(error)),
        Ok(_) => None,
    }
}

fn is_record(folder: &Path) -> bool {
    secure_fs::exists(&folder.join("run.json"))
}

/// The folder of a unit that the daemon tells of.
fn record_of(unit: &Unit) -> Option<Folder> {
    let folder = unit.logs.events.as_deref()?.parent()?;
    let is_its = folder.file_name().is_some_and(|name| name == unit.id.as_str());
    (is_its && is_record(folder)).then(|| Folder::at(folder))
}

/// What the daemon says to `query`; none when it is not there, or cannot say.
fn ask_daemon(query: &str) -> Option<Result<(Client, Unit)>> {
    if paths::no_daemon() {
        return None;
    }
    let mut client = Client::connect("ig").ok()?;
    let project = paths::current_project().map(|root| root.to_string_lossy().into_owned());
    let which = vec![("id", query.into()), ("project", project.into())];
    match client.ask("unit.get", which) {
        Ok(unit) => Unit::try_from(unit).ok().map(|unit| Ok((client, unit))),
        Err(error) => Some(Err(error)),
    }
}

/// Where `unit` is, when that is not here: ` in /srv/shop`, to be put behind its name.
pub fn far(unit: &Unit) -> Option<String> {
    let here = paths::current_project();
    let folder = super::folder_of(unit);
    let runs = here.as_deref().map(|project| paths::runs_dir(Some(project)));
    if unit.project == here || runs.is_some_and(|runs| folder.path().starts_with(runs)) {
        return None;
    }
    let place = unit.project.as_deref().map(|place| neutral::line(&place.display().to_string()));
    Some(place.map_or_else(|| " outside of projects".to_owned(), |place| format!(" in {place}")))
}

/// The word for `unit` that can be typed here: its name where that means it, else its id.
pub fn word(unit: &Unit) -> String {
    let means_it = far(unit).is_none()
        && lookup::find(&here(), &unit.name).is_ok_and(|found| found.id == unit.id);
    if means_it { unit.name.clone() } else { unit.id.to_string() }
}
