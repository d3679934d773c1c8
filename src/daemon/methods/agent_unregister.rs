//! `agent.unregister`: an agent says that it is done.

use super::{Answer, live};
use crate::daemon::world::World;
use crate::record::{Folder, register};
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::Which;
use crate::wire::unit::{EndSource, Status, Unit};

pub(super) fn handle(world: &mut World, params: &Which) -> Answer<Unit> {
    let unit = live(world, &params.id, params.project.as_deref())?;
    if unit.runner.is_some() {
        let words = format!("`{}` ends with its command; `ig stop {}` ends it", unit.name, unit.id);
        return Err(RpcError::new(ErrorCode::NotPermitted, words));
    }
    let last = match world.folder_of(&unit.id).map(Folder::at) {
        // Nobody owns this record but the script that asks.
        Some(folder) => register::unregister(&folder, None)
            .map_err(|error| RpcError::new(ErrorCode::InternalError, error.what()))?,
        None => Unit {
            status: Status::Completed,
            exit_code: Some(0),
            end: Some(EndSource::Itself),
            ..unit
        },
    };
    let id = last.id.clone();
    world.end(&id, Some(last.clone()));
    world.note_ends();
    Ok(world.state.get(&id).map_or(last, |entry| entry.unit.clone()))
}
