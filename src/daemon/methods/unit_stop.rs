//! `unit.stop`: ends a unit. The daemon goes on meanwhile: the waiting is done beside its loop.

use std::time::Duration;

use serde_json::json;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Answer, live};
use crate::daemon::connection::Reply;
use crate::daemon::signals::leave_request;
use crate::daemon::world::World;
use crate::record::Folder;
use crate::stop;
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::UnitStop;
use crate::wire::signal::Stopped;

pub(super) fn handle(world: &mut World, params: &UnitStop) -> Answer<JoinHandle<Reply>> {
    world.scan();
    let found = live(world, &params.id, params.project.as_deref())?;
    world.refresh(&found.id);
    let unit = live(world, found.id.as_str(), None)?;
    if let Some(folder) = world.folder_of(&unit.id).filter(|_| unit.process.is_some()) {
        leave_request(&Folder::at(folder), params.session.as_deref());
    }
    let grace = params.grace_ms.map_or(stop::GRACE, Duration::from_millis);
    Ok(spawn_blocking(move || {
        let stopped = stop::stop(&unit, grace);
        Reply::of(match stopped {
            Ok(left) => {
                let left = left.iter().map(|process| process.pid).collect();
                Ok(json!(Stopped { unit, left }))
            }
            Err(error) => Err(RpcError::new(ErrorCode::NotPermitted, error.what())),
        })
    }))
}
