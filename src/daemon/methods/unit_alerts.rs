//! `unit.alerts`: which ends of a live unit are told, from now on.

use super::{Answer, live};
use crate::daemon::world::World;
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::UnitAlerts;
use crate::wire::unit::{Alerts, Unit};

pub(super) fn handle(world: &mut World, params: &UnitAlerts) -> Answer<Unit> {
    world.scan();
    let unit = live(world, &params.id, params.project.as_deref())?;
    let known = unit.terms.alerts;
    let alerts = Alerts {
        on_failure: params.on_failure.unwrap_or(known.on_failure),
        on_success: params.on_success.unwrap_or(known.on_success),
        on_kill: params.on_kill.unwrap_or(known.on_kill),
    };
    let lost = || RpcError::new(ErrorCode::InternalError, "the choice could not be kept");
    world.noted(|store| store.set_alerts(&unit.id, alerts)).ok_or_else(lost)?;
    let changes = world.state.set_alerts(&unit.id, alerts);
    world.tell(&changes);
    Ok(world.state.get(&unit.id).map_or(unit, |entry| entry.unit.clone()))
}
