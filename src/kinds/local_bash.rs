//! Runs, processes and scripts.

use serde_json::{Map, Value, json};

use super::{Model, Seen, fields};

#[derive(Debug)]
pub(super) struct LocalBash;

impl Model for LocalBash {
    fn metadata(&self, seen: &Seen<'_>, room: usize) -> Map<String, Value> {
        fields(json!({
            "command": seen.unit.command,
            "exit_code": seen.unit.exit_code,
            "output": seen.tail(room),
        }))
    }
}
