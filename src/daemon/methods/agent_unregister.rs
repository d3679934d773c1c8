//! `agent.unregister`: an agent says that it is done.

use super::{Answer, live};
use crate::daemon::world::World;
use crate::record::{Folder, register};
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::AgentUnregister;
use crate::wire::unit::{EndSource, Status, Unit};

pub(super) fn handle(world: &mut World, params: &AgentUnregister) -> Answer<Unit> {
    let unit = live(world, &params.which.id, params.which.project.as_deref())?;
    world.follow_move(&unit.id);
    if unit.runner.is_some() {
        let words = format!("`{}` ends with its command; `ig stop {}` ends it", unit.name, unit.id);
        return Err(RpcError::new(ErrorCode::NotPermitted, words));
    }
    let last = match world.folder_of(&unit.id).map(Folder::at) {
        // Nobody owns this record but the script that asks.
        Some(folder) => register::unregister(&folder, params.exit_code)
            .map_err(|error| RpcError::new(ErrorCode::InternalError, error.what()))?,
        None => Unit {
            status: Status::Completed,
            exit_code: params.exit_code.or(Some(0)),
            end: Some(EndSource::Itself),
            ..unit
        },
    };
    let id = last.id.clone();
    if params.exit_code.is_some() && world.folder_of(&id).is_some() {
        // Its process ends next, and then the kernel says how.
        world.judge(&id);
    } else {
        world.end(&id, Some(last.clone()));
    }
    world.note_ends();
    Ok(last)
}
