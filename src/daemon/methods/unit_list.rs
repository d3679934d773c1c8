//! `unit.list`: units of a kind, live ones or all of this daemon's life.

use super::page;
use crate::daemon::world::World;
use crate::wire::reply::Units;
use crate::wire::request::UnitList;

pub(super) fn handle(world: &mut World, params: &UnitList) -> Units {
    world.scan();
    world.refresh_all();
    let mut units = world.state.list(&params.scope, params.ended);
    units.retain(|unit| params.kind.is_none_or(|kind| unit.kind == kind));
    let (units, next) = page::of_units(units, params.after.as_deref());
    Units { schema: 1, units, next }
}
