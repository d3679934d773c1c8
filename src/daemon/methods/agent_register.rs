//! `agent.register`: an agent that lives on the wire only, for as long as its process does.

use super::{Answer, check_size, invalid};
use crate::daemon::store::Store;
use crate::daemon::world::World;
use crate::id::UnitId;
use crate::logs::mask::view;
use crate::os::Identity;
use crate::stop;
use crate::wire::request::AgentRegister;
use crate::wire::unit::{Kind, Status, Unit};

/// Bytes of a name or a type.
const NAME_LIMIT: usize = 200;
/// Bytes of metadata, as JSON.
const METADATA_LIMIT: usize = 64 << 10;

pub(super) fn handle(
    world: &mut World,
    caller: Option<u32>,
    params: AgentRegister,
) -> Answer<Unit> {
    let unit = unit(world, caller, params)?;
    world.noted(|store: &Store| store.save_agent(&unit));
    world.register(unit.clone());
    world.mark(&unit.id);
    Ok(unit)
}

fn unit(world: &World, caller: Option<u32>, params: AgentRegister) -> Answer<Unit> {
    if params.name.trim().is_empty() {
        return Err(invalid("an agent needs a `name`"));
    }
    check_size("name", params.name.len().max(params.agent_type.len()), NAME_LIMIT)?;
    let metadata = serde_json::to_vec(&params.metadata).map_or(0, |text| text.len());
    check_size("metadata", metadata, METADATA_LIMIT)?;
    let mut unit = Unit::new(Kind::LocalAgent, &params.name);
    if let Some(id) = params.id.filter(|id| !id.is_empty()) {
        unit.id = free_id(world, &id)?;
    }
    let pid = params.pid.or(caller);
    let pid = pid.ok_or_else(|| invalid("an agent needs the `pid` of its process"))?;
    if pid <= 1 {
        return Err(invalid(format!("process {pid} cannot be registered: it is not a script")));
    }
    let process = Identity::of(pid).ok_or_else(|| invalid(format!("no process has pid {pid}")))?;
    if params.offer {
        // Who calls is known from the kernel alone; where it does not tell, nobody can offer.
        let may = caller.ok_or("this system does not tell which process calls");
        may.and_then(|caller| stop::check_offer(pid, caller))
            .map_err(|why| invalid(format!("pid {pid} cannot be offered: {why}")))?;
    }
    unit.offered = params.offer;
    unit.agent_type = params.agent_type;
    unit.metadata = params.metadata;
    unit.pid = Some(pid);
    unit.process = Some(process);
    unit.project = params.project;
    unit.session = params.session;
    unit.status = Status::Running;
    // It is kept for nothing but being shown.
    view::Veil::new().over(&mut unit);
    Ok(unit)
}

/// The id that the caller keeps: never one that has a record of its own.
fn free_id(world: &World, id: &str) -> Answer<UnitId> {
    let words = || format!("`{}` is no id: one letter and eight of a-z, 0-9", id.escape_debug());
    let id = UnitId::parse(id).ok_or_else(|| invalid(words()))?;
    if world.folder_of(&id).is_some() {
        return Err(invalid(format!("`{id}` is the id of a unit with a record")));
    }
    Ok(id)
}
