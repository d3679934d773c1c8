//! `agent.log`: one line of an agent.
//!
//! An agent with a folder logs into its `events.log`, as its script would: files are the truth.

use serde_json::{Value, json};

use super::{Answer, check_size, invalid, live};
use crate::daemon::news::is_log_level;
use crate::daemon::world::World;
use crate::record::{Folder, events};
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::AgentLog;

/// The longest text of one line, bytes.
const TEXT_LIMIT: usize = 64 << 10;

pub(super) fn handle(world: &mut World, params: &AgentLog) -> Answer<Value> {
    if !is_log_level(&params.level) {
        return Err(invalid("`level` is one of debug, info, warn, error"));
    }
    check_size("text", params.message.len(), TEXT_LIMIT)?;
    let unit = live(world, &params.id, params.project.as_deref())?;
    match world.folder_of(&unit.id).map(Folder::at) {
        Some(folder) => {
            append(&folder, &params.level, &params.message)?;
            world.refresh(&unit.id);
        }
        None => world.log(&unit, &params.level, &params.message),
    }
    Ok(json!({}))
}

/// Appends to `events.log` on behalf of the caller.
pub(super) fn append(folder: &Folder, level: &str, text: &str) -> Answer<()> {
    events::append(&folder.events(), level, text).map_err(|error| {
        let words = format!("cannot write `{}`: {error}", folder.events().display());
        RpcError::new(ErrorCode::InternalError, words)
    })
}
