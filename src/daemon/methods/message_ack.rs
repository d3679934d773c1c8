//! `message.ack`: an agent has read these.

use serde_json::{Value, json};

use super::Answer;
use crate::daemon::world::World;
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::MessageAck;

pub(super) fn handle(world: &mut World, params: &MessageAck) -> Answer<Value> {
    let unit = world.state.find(&params.agent, None)?;
    let acked = world
        .store
        .ack(unit.id.as_str(), &params.seqs)
        .map_err(|error| RpcError::new(ErrorCode::InternalError, error.to_string()))?;
    world.mark(&unit.id);
    Ok(json!({ "acked": acked }))
}
