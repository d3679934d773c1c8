//! `unit.evict`: a unit that has ended is forgotten, once everybody who should know was told. Its
//! files stay.

use super::Answer;
use crate::daemon::live;
use crate::daemon::world::World;
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::Which;
use crate::wire::signal::Evicted;

pub(super) fn handle(world: &mut World, params: &Which) -> Answer<Evicted> {
    world.scan();
    let unit = match world.state.find(&params.id, params.project.as_deref()) {
        Ok(unit) => unit,
        Err(error) if error.code == ErrorCode::NotFound => return Ok(Evicted { evicted: false }),
        Err(error) => return Err(error),
    };
    if !unit.status.is_terminal() {
        return Err(undrained(format!("`{}` is {}", unit.name, unit.status.word())));
    }
    let untold = world.noted(|store| store.untold(unit.id.as_str())).unwrap_or_default();
    if !untold.is_empty() {
        let who = untold.join("`, `");
        return Err(undrained(format!("`{who}` was not told yet that `{}` ended", unit.name)));
    }
    live::unlink(&unit.id);
    let changes = world.state.evict(&unit.id);
    world.tell(&changes);
    Ok(Evicted { evicted: true })
}

fn undrained(words: String) -> RpcError {
    RpcError::new(ErrorCode::Undrained, words)
}
