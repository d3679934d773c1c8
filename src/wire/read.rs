//! A [`Unit`] and its parts from JSON, by hand: the derived way is made anew for every type and every
//! source, and would be a quarter of `ig-agent`.
//!
//! Unknown fields are ignored, and missing or senseless ones are defaults; only what a unit cannot be
//! without is asked for.

use serde_json::{Map, Value};

use super::raw;
use super::unit::{Alerts, EndSource, Git, Kind, Logs, Presence, Script, Status, Terms, Unit};
use crate::id::UnitId;
use crate::os::Identity;
use crate::terminal::Terminal;

/// The JSON in `text`. The one place that reads it in the light half.
pub fn json(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(|cause| cause.to_string())
}

/// An object with `fields`.
pub fn object(fields: Vec<(&str, Value)>) -> Value {
    let mut object = Map::new();
    for (name, value) in fields {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

/// An object whose fields are taken out one by one.
#[derive(Debug, Default)]
pub struct Fields(pub(crate) Map<String, Value>);

impl Fields {
    /// The fields of `value`; none when it is no object.
    pub fn of(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self(fields),
            _ => Self::default(),
        }
    }

    /// The value of `name`; null when there is none.
    pub fn value(&mut self, name: &str) -> Value {
        self.0.get_mut(name).map(Value::take).unwrap_or_default()
    }

    /// A text that may be absent.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name) {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A number that may be absent.
    pub fn number<T: TryFrom<i64>>(&mut self, name: &str) -> Option<T> {
        self.value(name).as_i64().and_then(|number| number.try_into().ok())
    }

    /// A switch, off when it is absent.
    pub fn flag(&mut self, name: &str) -> bool {
        self.value(name) == Value::Bool(true)
    }

    /// The fields of an object that may be absent.
    #[must_use]
    pub fn fields(&mut self, name: &str) -> Self {
        Self::of(self.value(name))
    }

    /// An object; empty when it is absent.
    pub fn object(&mut self, name: &str) -> Map<String, Value> {
        self.fields(name).0
    }

    /// A list; empty when it is absent.
    pub fn list(&mut self, name: &str) -> Vec<Value> {
        match self.value(name) {
            Value::Array(list) => list,
            _ => Vec::new(),
        }
    }

    /// A list of texts.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        let text = |value: Value| value.as_str().map(str::to_owned);
        self.list(name).into_iter().filter_map(text).collect()
    }

    /// A process.
    pub fn identity(&mut self, name: &str) -> Option<Identity> {
        let mut fields = self.fields(name);
        let start = fields.value("start").as_u64()?;
        Some(Identity { pid: fields.number("pid")?, start, boot: fields.text("boot")? })
    }
}

impl TryFrom<Value> for Unit {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut fields = Fields::of(value);
        read(&mut fields)
            .ok_or_else(|| "a unit has `id`, `kind`, `name`, `status` and `started_at`".to_owned())
    }
}

fn read(from: &mut Fields) -> Option<Unit> {
    let kind = from.text("kind")?;
    let status = from.text("status")?;
    let presence = from.text("presence").and_then(|word| Presence::parse(&word));
    let status = Status::ALL.into_iter().find(|known| known.word() == status)?;
    let gone = status.is_terminal().then_some(Presence::Gone);
    let end = from.text("end");
    let mut unit = Unit {
        id: UnitId::parse(&from.text("id")?)?,
        kind: Kind::ALL.into_iter().find(|known| known.word() == kind)?,
        name: from.text("name")?,
        agent_type: from.text("type").unwrap_or_default(),
        description: from.text("description").unwrap_or_default(),
        status,
        presence: gone.or(presence).unwrap_or_default(),
        command: from.text("command").unwrap_or_default(),
        argv: from.texts("argv").into_iter().map(Into::into).collect(),
        cwd: from.text("cwd").unwrap_or_default().into(),
        project: from.text("project").map(Into::into),
        pid: from.number("pid"),
        started_at: from.text("started_at")?,
        ended_at: from.text("ended_at"),
        duration_ms: from.value("duration_ms").as_u64(),
        exit_code: from.number("exit_code"),
        signal: from.number("signal"),
        end: EndSource::ALL.into_iter().find(|known| end.as_deref() == Some(known.word())),
        script: script(from.fields("script")),
        git: git(from.fields("git")),
        owner: from.text("owner").unwrap_or_default(),
        session: from.text("session"),
        parent: from.text("parent").and_then(|id| UnitId::parse(&id)),
        agent_id: from.text("agent_id"),
        ready: from.flag("ready"),
        ports: from.list("ports").iter().filter_map(port).collect(),
        stale: from.flag("stale"),
        logs: logs(from.fields("logs")),
        metadata: from.object("metadata"),
        terms: terms(from.fields("terms")),
        restarts: from.number("restarts").unwrap_or_default(),
        host: from.text("host").unwrap_or_default(),
        env_names: from.texts("env_names"),
        stream_logs: from.flag("stream_logs"),
        process: from.identity("process"),
        runner: from.identity("runner"),
        keeper: from.identity("keeper"),
        offered: from.flag("offered"),
        terminal: terminal(from.fields("terminal")),
    };
    raw::put_back(&mut unit, from.fields("raw"));
    Some(unit)
}

fn terminal(mut from: Fields) -> Option<Terminal> {
    Some(Terminal { path: from.text("path")?.into(), leader: from.identity("leader")? })
}

fn port(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| number.try_into().ok())
}

fn script(mut from: Fields) -> Script {
    let path = from.text("path").map(Into::into);
    Script { path, sha256: from.text("sha256").unwrap_or_default() }
}

fn git(mut from: Fields) -> Git {
    Git { commit: from.text("commit"), dirty: from.value("dirty").as_bool() }
}

fn logs(mut from: Fields) -> Logs {
    let mut number = |name: &str| from.value(name).as_u64().unwrap_or_default();
    let [dropped_bytes, dropped_lines] = ["dropped_bytes", "dropped_lines"].map(&mut number);
    let [missed_bytes, missed_lines] = ["missed_bytes", "missed_lines"].map(&mut number);
    let [dropped_event_bytes, dropped_events] =
        ["dropped_event_bytes", "dropped_events"].map(number);
    let mut path = |name: &str| from.text(name).map(Into::into);
    Logs {
        output: path("output"),
        stdout: path("stdout"),
        stderr: path("stderr"),
        events: path("events"),
        dropped_bytes,
        dropped_lines,
        missed_bytes,
        missed_lines,
        dropped_event_bytes,
        dropped_events,
    }
}

/// What was asked for, from an object that may leave out anything.
pub fn terms(mut from: Fields) -> Terms {
    Terms {
        group: from.text("group"),
        background: from.flag("background"),
        ready_when: from.text("ready_when"),
        restart: from.text("restart"),
        limit: from.text("limit"),
        persistent: from.flag("persistent"),
        ends_with_session: from.flag("ends_with_session"),
        alerts: alerts(from.fields("alerts")),
    }
}

/// Which ends are told, from an object that may leave out anything.
pub fn alerts(mut from: Fields) -> Alerts {
    let mut or = |name: &str, default: bool| from.value(name).as_bool().unwrap_or(default);
    let usual = Alerts::default();
    Alerts {
        on_failure: or("on_failure", usual.on_failure),
        on_success: or("on_success", usual.on_success),
        on_kill: or("on_kill", usual.on_kill),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Unit {
        let mut unit = Unit::new(Kind::LocalAgent, "web");
        unit.status = Status::Running;
        unit.presence = Presence::Busy;
        unit.argv = vec!["a".into(), "b c".into()];
        unit.project = Some("/p".into());
        unit.pid = Some(7);
        unit.duration_ms = Some(u64::MAX);
        unit.exit_code = Some(-1);
        unit.signal = Some(9);
        unit.end = Some(EndSource::Itself);
        unit.script = Script { path: Some("/x.sh".into()), sha256: "ab".into() };
        unit.git = Git { commit: Some("c".into()), dirty: Some(true) };
        unit.parent = UnitId::parse("b3k9x0a1z");
        unit.ports = vec![80, 65535];
        unit.ready = true;
        unit.logs.events = Some("/e".into());
        (unit.logs.dropped_bytes, unit.logs.missed_lines) = (u64::MAX, 1);
        (unit.logs.dropped_event_bytes, unit.logs.dropped_events) = (2, 3);
        unit.metadata.insert("batch".into(), 7.into());
        unit.terms.group = Some("back".into());
        unit.terms.ends_with_session = true;
        unit.terms.alerts.on_kill = true;
        unit.restarts = 3;
        unit.offered = true;
        unit.env_names = vec!["HOME".into()];
        unit.runner = Some(Identity { pid: 1, start: u64::MAX, boot: "b".into() });
        unit.keeper = Some(Identity { pid: 2, start: 0, boot: "b".into() });
        unit.terminal =
            unit.runner.clone().map(|leader| Terminal { path: "/dev/pts/3".into(), leader });
        unit
    }

    #[test]
    fn a_unit_reads_back() {
        for unit in [full(), Unit::new(Kind::Dream, "x")] {
            let value = serde_json::to_value(&unit).unwrap();
            assert_eq!(Unit::try_from(value), Ok(unit));
        }
    }

    #[test]
    fn every_word_reads_back() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.word());
        }
        for source in EndSource::ALL {
            assert_eq!(serde_json::to_value(source).unwrap(), source.word());
        }
    }

    #[test]
    fn what_is_missing_is_a_default_and_what_is_unknown_is_ignored() {
        let text = br#"{"id":"b3k9x0a1z","kind":"local_bash","name":"x","status":"running",
            "started_at":"2026-01-01T00:00:00Z","new":[{}],"ports":[1,"x",70000]}"#;
        let unit = Unit::try_from(json(text).unwrap()).unwrap();
        assert_eq!(
            (unit.ports.as_slice(), unit.argv.len(), unit.process),
            ([1].as_slice(), 0, None)
        );
        assert!(Unit::try_from(json(b"{}").unwrap()).is_err());
        assert!(Unit::try_from(json(b"[]").unwrap()).is_err());
    }
}
