//! `unit.stop`: ends a unit. The daemon goes on meanwhile: the waiting is done beside its loop.

use std::time::Duration;

use serde_json::json;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Answer, live};
use crate::daemon::connection::Reply;
use crate::daemon::world::World;
use crate::stop::{self, Asker};
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::UnitStop;
use crate::wire::signal::Stopped;

pub(super) fn handle(
    world: &mut World,
    caller: Option<u32>,
    params: &UnitStop,
) -> Answer<JoinHandle<Reply>> {
    world.scan();
    let found = live(world, &params.id, params.project.as_deref())?;
    world.refresh(&found.id);
    let unit = live(world, found.id.as_str(), None)?;
    let grace = params.grace_ms.map_or(stop::GRACE, Duration::from_millis);
    stop::claim(&unit, caller).map_err(|error| RpcError::new(ErrorCode::NotOwned, error.what()))?;
    let asker = Asker { session: params.session.clone(), process: caller };
    world.note_request(&unit.id, asker.session.as_deref());
    Ok(spawn_blocking(move || {
        let stopped = stop::stop_for(&unit, grace, &asker);
        Reply::of(match stopped {
            Ok(left) => {
                let why = left.iter().map(ToString::to_string).collect();
                let left = left.iter().map(|left| left.process.pid).collect();
                Ok(json!(Stopped { unit, left, why }))
            }
            Err(error) => Err(RpcError::new(ErrorCode::NotPermitted, error.what())),
        })
    }))
}
