//! `unit.stop`: ends a unit. The daemon goes on meanwhile: the waiting is done beside its loop.

use std::time::Duration;

use serde_json::json;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Answer, live};
use crate::daemon::connection::Reply;
use crate::daemon::world::World;
use crate::stop;
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::UnitStop;
use crate::wire::signal::Stopped;

pub(super) fn handle(world: &mut World, params: &UnitStop) -> Answer<JoinHandle<Reply>> {
    world.scan();
    let found = live(world, &params.id, params.project.as_deref())?;
    world.refresh(&found.id);
    let unit = live(world, found.id.as_str(), None)?;
    let grace = params.grace_ms.map_or(stop::GRACE, Duration::from_millis);
    let session = params.session.clone();
    world.note_request(&unit.id, session.as_deref());
    Ok(spawn_blocking(move || {
        let stopped = stop::stop_for(&unit, grace, session.as_deref());
        Reply::of(match stopped {
            Ok(left) => {
                let left = left.iter().map(|process| process.pid).collect();
                Ok(json!(Stopped { unit, left }))
            }
            Err(error) => Err(RpcError::new(ErrorCode::NotPermitted, error.what())),
        })
    }))
}
