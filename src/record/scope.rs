//! Which units a command speaks of: those of the current project, or all.

use std::path::PathBuf;

use super::{Folder, list, lookup, sort};
use crate::error::{Error, Result};
use crate::id::UnitId;
use crate::wire::unit::{Status, Unit};
use crate::{paths, secure_fs};

/// Units of the current project (or, outside of one, of the user), sorted by start.
pub fn here() -> Vec<Unit> {
    let project = paths::current_project();
    let mut units = list(&paths::runs_dir(project.as_deref()));
    if project.is_some() {
        // A project that could not be written to has its records among the user's own.
        let elsewhere = list(&paths::runs_dir(None));
        units.extend(elsewhere.into_iter().filter(|unit| unit.project == project));
    }
    sort(&mut units);
    units
}

/// Units of every project that is known to have live ones, of this one, and of the user.
pub fn everywhere() -> Vec<Unit> {
    let links = secure_fs::list(&paths::live_dir()).unwrap_or_default();
    let ids = links.iter().filter_map(|name| UnitId::parse(name.to_str()?));
    let linked = ids.filter_map(|id| Folder::linked(&id));
    let mut runs: Vec<PathBuf> =
        linked.filter_map(|folder| folder.path().parent().map(PathBuf::from)).collect();
    runs.push(paths::runs_dir(None));
    runs.extend(paths::current_project().map(|project| paths::runs_dir(Some(&project))));
    runs.sort();
    runs.dedup();
    let mut units: Vec<Unit> = runs.iter().flat_map(|runs| list(runs)).collect();
    sort(&mut units);
    units.dedup_by(|a, b| a.id == b.id);
    units
}

/// The unit that `query` means: here first, then anywhere. A whole id leads straight to its record.
/// One whose record is damaged is an error, which says so.
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
pub fn find_any(query: &str) -> Result<(Unit, Folder)> {
    if let Some(found) = by_id(query) {
        return found;
    }
    let here = here();
    let found = match lookup::find(&here, query) {
        Ok(unit) => unit.clone(),
        Err(error) => lookup::find(&everywhere(), query).map_err(|_| error)?.clone(),
    };
    let folder = super::folder_of(&found);
    Ok((found, folder))
}

/// One whose record cannot be read is there all the same: why, is what has to be said.
fn by_id(query: &str) -> Option<Result<(Unit, Folder)>> {
    let id = UnitId::parse(query)?;
    let runs = paths::runs_dir(paths::current_project().as_deref());
    let folder = Folder::at(runs.join(id.as_str()));
    match folder.observe_any() {
        Ok(unit) if unit.id == id => {
            let folder = super::folder_of(&unit);
            Some(Ok((unit, folder)))
        }
        Err(error) if secure_fs::exists(&folder.file("run.json")) => Some(Err(error)),
        _ => None,
    }
}
