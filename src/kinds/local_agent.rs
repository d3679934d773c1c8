//! AI sessions and subagents: what they were asked, how far they are, what came of it.
//!
//! They say so themselves, in the metadata that they register with.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Model, ROOM, Seen, cut, fields};
use crate::ending;
use crate::wire::unit::{Status, Unit};

#[derive(Debug)]
pub(super) struct LocalAgent;

impl Model for LocalAgent {
    fn metadata(&self, seen: &Seen<'_>, room: usize) -> Map<String, Value> {
        let unit = seen.unit;
        let said = |name: &str| unit.metadata.get(name).and_then(Value::as_str);
        let short = |name: &str| said(name).map(|text| cut(text, room));
        let failed = matches!(unit.status, Status::Failed | Status::Killed);
        fields(json!({
            "agent_type": unit.agent_type,
            "prompt": short("prompt").unwrap_or_default(),
            "async": unit.metadata.get("async").and_then(Value::as_bool).unwrap_or(true),
            "phase": short("phase").unwrap_or_else(|| phase(unit)),
            "summary": short("summary"),
            "err": short("err").or_else(|| failed.then(|| how(unit))),
        }))
    }

    fn output(&self, seen: &Seen<'_>) -> String {
        let about = self.metadata(seen, ROOM / 4);
        let mut text = String::new();
        for name in ["phase", "summary", "err"] {
            if let Some(said) = about[name].as_str().filter(|said| !said.is_empty()) {
                let _ = writeln!(text, "{name}: {}", crate::neutral::text(said));
            }
        }
        text + &seen.tail(ROOM / 2)
    }
}

/// What it does: its own words, or its presence while it lives.
fn phase(unit: &Unit) -> String {
    match (unit.description.as_str(), unit.status.is_terminal()) {
        (_, true) => unit.status.word().to_owned(),
        ("", false) => unit.presence.word().to_owned(),
        (description, false) => description.to_owned(),
    }
}

/// How it ended, when it did not say.
fn how(unit: &Unit) -> String {
    if unit.exit_code.is_none() && unit.signal.is_none() {
        return "it ended without a word".to_owned();
    }
    format!("it ended with {}", ending::words(unit.exit_code, unit.signal))
}
