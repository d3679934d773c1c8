//! `unit.get`: one unit, whole, with what its kind tells.

use super::Answer;
use crate::daemon::world::World;
use crate::kinds::ROOM;
use crate::record::Folder;
use crate::wire::request::Which;
use crate::wire::unit::Unit;

pub(super) fn handle(world: &mut World, params: &Which) -> Answer<Unit> {
    world.scan();
    let found = world.state.find(&params.id, params.project.as_deref())?;
    world.refresh(&found.id);
    let mut unit = world.seen(&found.id).map_or(found.clone(), |seen| seen.unit(ROOM));
    // Names of variables stay in the record alone.
    if let Some(record) = world.folder_of(&unit.id).and_then(|path| Folder::at(path).load().ok()) {
        unit.env_names = record.env_names;
    }
    Ok(unit)
}
