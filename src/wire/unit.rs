//! A unit: one long-running thing, as told in `run.json`, every `--json` and on the wire.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

pub use super::kind::Kind;
use super::raw;
pub use super::state::{EndSource, Presence, Status};
use crate::id::UnitId;
use crate::os::Identity;
use crate::terminal::Terminal;

/// The script a unit runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Script {
    /// Where it was found; none for an inline command.
    #[serde(serialize_with = "raw::shown_if")]
    pub path: Option<PathBuf>,
    /// SHA-256 of the file's contents, or of the command: of the string that the shell gets, or of the
    /// words with a NUL byte between each two, which no word can hold. 64 hex digits.
    pub sha256: String,
}

/// The state of the git work tree when the unit started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Git {
    /// The commit checked out.
    pub commit: Option<String>,
    /// Whether there were uncommitted changes.
    pub dirty: Option<bool>,
}

/// Paths of a unit's logs; only those that exist for its way of capture.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Logs {
    /// Everything a terminal would have shown, when the unit had one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw::shown_if")]
    pub output: Option<PathBuf>,
    /// Standard output, byte for byte.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw::shown_if")]
    pub stdout: Option<PathBuf>,
    /// Standard error, byte for byte.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw::shown_if")]
    pub stderr: Option<PathBuf>,
    /// What the script logged itself.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "raw::shown_if")]
    pub events: Option<PathBuf>,
    /// Bytes of output that were kept first and dropped later: one run has a bound.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_bytes: u64,
    /// Lines that ended in them.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_lines: u64,
    /// Bytes of output that could not be kept: the disk did not take them.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed_bytes: u64,
    /// Lines that ended in them.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed_lines: u64,
    /// Bytes of events that were dropped, and...
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_event_bytes: u64,
    /// ...how many events ended in them.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_events: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Which ends the sessions that should know are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Alerts {
    /// It failed.
    pub on_failure: bool,
    /// It completed.
    pub on_success: bool,
    /// It was killed, on request or by a signal.
    pub on_kill: bool,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { on_failure: true, on_success: false, on_kill: false }
    }
}

/// Which ends are to be told from now on, and which not; what is not given stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// When it fails.
    #[serde(default)]
    pub on_failure: Option<bool>,
    /// When it completes.
    #[serde(default)]
    pub on_success: Option<bool>,
    /// When it is killed.
    #[serde(default)]
    pub on_kill: Option<bool>,
}

impl Choice {
    /// What comes of it where `known` held so far.
    #[must_use]
    pub fn after(self, known: Alerts) -> Alerts {
        Alerts {
            on_failure: self.on_failure.unwrap_or(known.on_failure),
            on_success: self.on_success.unwrap_or(known.on_success),
            on_kill: self.on_kill.unwrap_or(known.on_kill),
        }
    }
}

/// What was asked for at its start, and holds as long as it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// Units that are started, listed and stopped together.
    pub group: Option<String>,
    /// Nobody watches it: it runs under a runner of its own.
    pub background: bool,
    /// What makes it ready, such as `port` or `http:URL`.
    pub ready_when: Option<String>,
    /// When it is started again: `no`, `on-failure[:N]` or `always[:N]`.
    pub restart: Option<String>,
    /// What it may use, such as `memory=2G,cpu=1`.
    pub limit: Option<String>,
    /// A monitor that does not end with its session.
    pub persistent: bool,
    /// It is stopped when the session that owns it ends. Without such a session it lives on.
    pub ends_with_session: bool,
    /// Which ends are told.
    pub alerts: Alerts,
}

/// One unit. Unknown fields of a newer version are ignored, missing ones are defaults.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(remote = "Self")] // the fields; see below for the whole
#[allow(missing_docs, reason = "the names are the contract, and say what they hold")]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Unit {
    pub id: UnitId,
    pub kind: Kind,
    pub name: String,
    /// The agent type it registered with, such as `dev-script`.
    #[serde(rename = "type")]
    pub agent_type: String,
    pub description: String,
    pub status: Status,
    pub presence: Presence,
    /// The command line for people, as it can be pasted; `argv` has the words.
    pub command: String,
    #[serde(serialize_with = "raw::words")]
    pub argv: Vec<OsString>,
    #[serde(serialize_with = "raw::shown")]
    pub cwd: PathBuf,
    #[serde(serialize_with = "raw::shown_if")]
    pub project: Option<PathBuf>,
    pub pid: Option<u32>,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub ended_at: Option<String>,
    /// By a clock that never jumps.
    pub duration_ms: Option<u64>,
    pub exit_code: Option<i32>,
    /// The number of the signal it died of.
    pub signal: Option<i32>,
    /// Who told how it ended; none while it has not.
    pub end: Option<EndSource>,
    pub script: Script,
    pub git: Git,
    /// Who started it: a user name.
    pub owner: String,
    /// The AI session that owns it.
    pub session: Option<String>,
    /// The unit inside which it was started.
    pub parent: Option<UnitId>,
    /// The agent that started it.
    pub agent_id: Option<String>,
    pub ready: bool,
    pub ports: Vec<u16>,
    pub stale: bool,
    pub logs: Logs,
    pub metadata: Map<String, Value>,
    pub terms: Terms,
    /// How often its command was started again.
    pub restarts: u32,
    pub host: String,
    /// Names of the environment's variables, never values.
    pub env_names: Vec<String>,
    /// Whether its output goes to the daemon's subscribers too.
    pub stream_logs: bool,
    /// The unit's own process.
    pub process: Option<Identity>,
    /// The runner that owns its output and its record; none for a script that registered itself.
    pub runner: Option<Identity>,
    /// Who keeps the output when the runner is gone: what outlives a unit writes on, and so does a unit
    /// whose runner was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keeper: Option<Identity>,
    /// It registered itself, and may be stopped: its own process, and what descends from that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub offered: bool,
    /// The terminal it was started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<Terminal>,
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        struct Fields<'a>(&'a Unit);
        impl Serialize for Fields<'_> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                Unit::serialize(self.0, to)
            }
        }
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            fields: Fields<'a>,
            raw: Map<String, Value>,
        }
        if self.status.is_terminal() && self.presence != Presence::Gone {
            return Self { presence: Presence::Gone, ..self.clone() }.serialize(to);
        }
        let raw = raw::of(self);
        // The usual case is also the quick one.
        if raw.is_empty() {
            return Self::serialize(self, to);
        }
        Whole { fields: Fields(self), raw }.serialize(to)
    }
}

impl<'a> Deserialize<'a> for Unit {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        Value::deserialize(from)?.try_into().map_err(serde::de::Error::custom) // see `read`
    }
}

impl Unit {
    /// A unit that starts now; the caller fills in the rest.
    pub fn new(kind: Kind, name: &str) -> Self {
        Self {
            id: UnitId::generate(kind),
            kind,
            name: name.to_owned(),
            agent_type: String::new(),
            description: String::new(),
            status: Status::Pending,
            presence: Presence::Active,
            command: String::new(),
            argv: Vec::new(),
            cwd: PathBuf::new(),
            project: None,
            pid: None,
            started_at: crate::time::now(),
            ended_at: None,
            duration_ms: None,
            exit_code: None,
            signal: None,
            end: None,
            script: Script::default(),
            git: Git::default(),
            owner: String::new(),
            session: None,
            parent: None,
            agent_id: None,
            ready: false,
            ports: Vec::new(),
            stale: false,
            logs: Logs::default(),
            metadata: Map::new(),
            terms: Terms::default(),
            restarts: 0,
            host: String::new(),
            env_names: Vec::new(),
            stream_logs: false,
            process: None,
            runner: None,
            keeper: None,
            offered: false,
            terminal: None,
        }
    }
}
