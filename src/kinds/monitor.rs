//! Commands whose lines are events. See `monitors` for how the lines become signals.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Model, ROOM, Seen, fields};

/// Lines that are kept in sight.
const RECENT: usize = 50;

#[derive(Debug)]
pub(super) struct Monitor;

impl Model for Monitor {
    fn metadata(&self, seen: &Seen<'_>, room: usize) -> Map<String, Value> {
        let counted = seen.unit.metadata.get("event_count").and_then(Value::as_u64);
        fields(json!({
            "command": seen.unit.command,
            "event_count": seen.events.or(counted).unwrap_or_else(|| seen.line_count()),
            "persistent": seen.unit.terms.persistent,
            "recent_lines": seen.last_lines(RECENT, room),
        }))
    }

    fn output(&self, seen: &Seen<'_>) -> String {
        let about = self.metadata(seen, ROOM);
        let mut text = format!("{} events; the last of them:\n", about["event_count"]);
        for line in about["recent_lines"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "{}", line.as_str().unwrap_or_default());
        }
        text
    }
}
