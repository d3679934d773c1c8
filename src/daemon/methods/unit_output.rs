//! `unit.output`: the end of a unit's log, line by line and in the form of its kind.

use super::Answer;
use crate::daemon::world::World;
use crate::wire::reply::Output;
use crate::wire::request::UnitOutput;

pub(super) fn handle(world: &mut World, params: &UnitOutput) -> Answer<Output> {
    world.scan();
    let unit = world.state.find(&params.id, params.project.as_deref())?;
    let lines = world.last_lines(&unit, params.tail);
    let text = world.seen(&unit.id).map(|seen| seen.output()).unwrap_or_default();
    Ok(Output { id: unit.id.to_string(), lines, text })
}
