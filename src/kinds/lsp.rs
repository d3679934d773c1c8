//! Language servers: their state, and how often they had to be started again.

use serde_json::{Map, Value, json};

use super::{Model, ROOM, Seen, fields};
use crate::run::restart::Policy;
use crate::wait;
use crate::wire::unit::{Status, Unit};

#[derive(Debug)]
pub(super) struct Lsp;

impl Model for Lsp {
    fn metadata(&self, seen: &Seen<'_>, _room: usize) -> Map<String, Value> {
        let unit = seen.unit;
        fields(json!({
            "server_name": unit.name,
            "command": unit.command,
            "state": state(unit),
            "exit_code": unit.exit_code,
            "restart_count": unit.restarts,
            "max_restarts": max_restarts(unit),
        }))
    }

    fn output(&self, seen: &Seen<'_>) -> String {
        let unit = seen.unit;
        let most = max_restarts(unit);
        let name = crate::neutral::line(&unit.name);
        let head = format!("{name}: {}, restart {} of {most}\n", state(unit), unit.restarts);
        head + &seen.tail(ROOM / 2)
    }
}

fn state(unit: &Unit) -> String {
    let said = unit.metadata.get("state").and_then(Value::as_str);
    let seen = match unit.status {
        Status::Pending => "starting",
        Status::Running if is_starting(unit) => "starting",
        Status::Running => said.unwrap_or("running"),
        Status::Completed | Status::Killed => "stopped",
        Status::Failed => "error",
        Status::Unknown => "unknown",
    };
    seen.to_owned()
}

/// It is between two starts, or what is to make it ready has yet to come.
fn is_starting(unit: &Unit) -> bool {
    unit.process.is_none() || wait::is_awaited(unit)
}

/// The maximum of its policy, also of one that names none; without a policy it starts once.
fn max_restarts(unit: &Unit) -> u32 {
    let policy = unit.terms.restart.as_deref().and_then(Policy::parse);
    policy.map_or(0, |policy| policy.most())
}
