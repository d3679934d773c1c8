//! Which units a command speaks of: those of the current project, or all.

use std::path::PathBuf;

use super::{Folder, list, lookup, sort};
use crate::error::Result;
use crate::id::UnitId;
use crate::paths;
use crate::wire::unit::Unit;

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
    let links = std::fs::read_dir(paths::live_dir()).map(|dir| dir.flatten().collect());
    let links: Vec<std::fs::DirEntry> = links.unwrap_or_default();
    let targets = links.iter().filter_map(|link| std::fs::read_link(link.path()).ok());
    let mut runs: Vec<PathBuf> = targets.filter_map(|t| t.parent().map(PathBuf::from)).collect();
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
pub fn find(query: &str) -> Result<(Unit, Folder)> {
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
    match folder.observe() {
        Ok(unit) if unit.id == id => {
            let folder = super::folder_of(&unit);
            Some(Ok((unit, folder)))
        }
        Err(error) if folder.file("run.json").exists() => Some(Err(error)),
        _ => None,
    }
}
