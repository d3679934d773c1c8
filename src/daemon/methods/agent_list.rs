//! `agent.list`: live units as those who can be sent messages.

use super::page;
use crate::daemon::world::World;
use crate::wire::reply::Agents;
use crate::wire::request::AgentList;

pub(super) fn handle(world: &mut World, params: &AgentList) -> Agents {
    world.scan();
    world.refresh_all();
    let units = world.state.list(&params.scope, false);
    let (agents, next) = page::of_units(units, params.after.as_deref());
    Agents { schema: 1, agents, next }
}
