//! `agent.update_status`: what an agent says of itself.

use super::{Answer, agent_log, live};
use crate::daemon::store::Store;
use crate::daemon::world::World;
use crate::record::Folder;
use crate::record::events::Event;
use crate::wire::request::AgentUpdateStatus;
use crate::wire::unit::Unit;

pub(super) fn handle(world: &mut World, params: &AgentUpdateStatus) -> Answer<Unit> {
    let unit = live(world, &params.id, params.project.as_deref())?;
    let detail = params.detail.as_deref().unwrap_or("");
    let text = format!("{} {detail}", params.status.word()).trim_end().to_owned();
    if let Some(folder) = world.folder_of(&unit.id).map(Folder::at) {
        agent_log::append(&folder, "status", &text)?;
        world.refresh(&unit.id);
    } else {
        world.say(&unit.id, &Event { at: None, level: "status".to_owned(), text });
    }
    let unit = world.state.get(&unit.id).map_or(unit, |entry| entry.unit.clone());
    if world.folder_of(&unit.id).is_none() {
        world.noted(|store: &Store| store.save_agent(&unit));
    }
    Ok(unit)
}
