//! `daemon.stop`: answers, then ends. Units live on; the next daemon finds them.

use serde_json::{Value, json};

use crate::daemon::world::World;

pub(super) fn handle(world: &mut World) -> Value {
    world.stopping = true;
    json!({})
}
