//! Finding the agent that a command is about, without the daemon where its files are enough.

use crate::error::Result;
use crate::id::UnitId;
use crate::record::{Folder, folder_of, lookup};
use crate::wire::client::Client;
use crate::wire::request::{Request, Which};
use crate::wire::unit::Unit;
use crate::{paths, secure_fs};

/// What a command is about.
pub(super) enum Whom {
    /// It has a record.
    Filed(Folder),
    /// The daemon alone knows it.
    Wire(Client, Which),
}

/// By its id or link on this machine; else the daemon is asked.
pub(super) fn find(query: &str) -> Result<Whom> {
    let project = paths::current_project();
    if let Some(folder) = by_id(query, project.as_deref()).or_else(|| by_link(query)) {
        return Ok(Whom::Filed(folder));
    }
    let mut client = super::connect()?;
    let which = Which { id: query.to_owned(), project };
    let unit: Unit = client.call(&Request::UnitGet(which.clone()))?;
    if unit.logs.events.is_some() {
        return Ok(Whom::Filed(folder_of(&unit)));
    }
    Ok(Whom::Wire(client, Which { id: unit.id.to_string(), project: None }))
}

fn by_id(query: &str, project: Option<&std::path::Path>) -> Option<Folder> {
    let id = UnitId::parse(query)?;
    Folder::of(id.as_str(), project)
}

/// Among the linked, which are the live ones of all projects; a name of this project wins.
fn by_link(query: &str) -> Option<Folder> {
    let links = secure_fs::list(&paths::live_dir()).ok()?;
    let ids = links.iter().filter_map(|name| UnitId::parse(name.to_str()?));
    let linked: Vec<(Unit, Folder)> = ids
        .filter_map(|id| Folder::linked(&id))
        .filter_map(|folder| Some((folder.observe().ok()?, folder)))
        .filter(|(unit, _)| !unit.status.is_terminal())
        .collect();
    let here = paths::current_project();
    let units: Vec<Unit> = linked.iter().map(|(unit, _)| unit.clone()).collect();
    let near: Vec<Unit> = units.iter().filter(|unit| unit.project == here).cloned().collect();
    let found = lookup::find(&near, query).or_else(|_| lookup::find(&units, query)).ok()?;
    linked.iter().find(|(unit, _)| unit.id == found.id).map(|(_, folder)| folder.clone())
}
