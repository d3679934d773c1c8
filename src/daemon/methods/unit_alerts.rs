//! `unit.alerts`: which ends of a live unit are told, from now on.

use super::{Answer, live};
use crate::daemon::world::World;
use crate::record::alerts;
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::UnitAlerts;
use crate::wire::unit::Unit;

pub(super) fn handle(world: &mut World, params: &UnitAlerts) -> Answer<Unit> {
    world.scan();
    let found = live(world, &params.id, params.project.as_deref())?;
    world.refresh(&found.id);
    let unit = live(world, found.id.as_str(), None)?;
    let folder = world.state.get(&unit.id).and_then(|entry| entry.folder.clone());
    let alerts = match &folder {
        Some(folder) => alerts::choose(folder, params.choice)
            .map_err(|error| RpcError::new(ErrorCode::InternalError, error.what()))?,
        None => params.choice.after(unit.terms.alerts),
    };
    let changes = world.state.set_alerts(&unit.id, alerts);
    world.tell(&changes);
    let unit = world.state.get(&unit.id).map_or(unit, |entry| entry.unit.clone());
    if folder.is_none() {
        // It has no file but the daemon's own.
        world.noted(|store| store.save_agent(&unit));
    }
    Ok(unit)
}
