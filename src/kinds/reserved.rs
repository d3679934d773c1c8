//! Kinds that have a name and nothing behind it yet: listed, never started.

use serde_json::{Map, Value};

use super::{Model, Seen};

#[derive(Debug)]
pub(super) struct Reserved;

impl Model for Reserved {
    fn metadata(&self, _seen: &Seen<'_>, _room: usize) -> Map<String, Value> {
        Map::new()
    }

    fn output(&self, seen: &Seen<'_>) -> String {
        format!("the kind `{}` is reserved; nothing of it runs here\n", seen.unit.kind.word())
    }
}
