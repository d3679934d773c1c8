//! Everything the daemon can be asked: one variant and one struct per method.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::unit::{Choice, Kind, Presence};

/// One method call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "method", content = "params")]
#[allow(missing_docs, reason = "each variant is its method")]
pub enum Request {
    #[serde(rename = "hello")]
    Hello(Hello),
    #[serde(rename = "daemon.status")]
    DaemonStatus(Nothing),
    #[serde(rename = "daemon.stop")]
    DaemonStop(Nothing),
    #[serde(rename = "agent.register")]
    AgentRegister(AgentRegister),
    #[serde(rename = "agent.unregister")]
    AgentUnregister(AgentUnregister),
    #[serde(rename = "agent.update_status")]
    AgentUpdateStatus(AgentUpdateStatus),
    #[serde(rename = "agent.log")]
    AgentLog(AgentLog),
    #[serde(rename = "agent.list")]
    AgentList(AgentList),
    #[serde(rename = "message.send")]
    MessageSend(MessageSend),
    #[serde(rename = "message.list")]
    MessageList(MessageList),
    #[serde(rename = "message.ack")]
    MessageAck(MessageAck),
    #[serde(rename = "unit.list")]
    UnitList(UnitList),
    #[serde(rename = "unit.get")]
    UnitGet(Which),
    #[serde(rename = "unit.output")]
    UnitOutput(UnitOutput),
    #[serde(rename = "unit.stop")]
    UnitStop(UnitStop),
    #[serde(rename = "unit.evict")]
    UnitEvict(Which),
    #[serde(rename = "unit.alerts")]
    UnitAlerts(UnitAlerts),
    #[serde(rename = "session.begin")]
    SessionBegin(SessionBegin),
    #[serde(rename = "session.end")]
    SessionEnd(SessionEnd),
    #[serde(rename = "signal.drain")]
    SignalDrain(SignalDrain),
    #[serde(rename = "signal.pending")]
    SignalPending(Drainer),
    #[serde(rename = "event.subscribe")]
    EventSubscribe(EventSubscribe),
}

/// Every method by name; what is not here is answered with `method_not_found`.
pub const METHODS: [&str; 22] = [
    "hello",
    "daemon.status",
    "daemon.stop",
    "agent.register",
    "agent.unregister",
    "agent.update_status",
    "agent.log",
    "agent.list",
    "message.send",
    "message.list",
    "message.ack",
    "unit.list",
    "unit.get",
    "unit.output",
    "unit.stop",
    "unit.evict",
    "unit.alerts",
    "session.begin",
    "session.end",
    "signal.drain",
    "signal.pending",
    "event.subscribe",
];

/// No parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Nothing {}

/// An agent is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgentUnregister {
    /// Which one.
    #[serde(flatten)]
    pub which: Which,
    /// What its process is about to exit with; none: it goes on without being an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// The first call on every connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    /// [`super::PROTOCOL`] of the caller.
    pub protocol: u32,
    /// Name and version of the caller, such as `ig/0.1.0`.
    #[serde(default)]
    pub client: String,
}

/// Announces an agent that has no record of its own (an AI session, a program in any language).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentRegister {
    /// An id to keep; registering it again overwrites. An empty id is ignored. None: a new one.
    pub id: Option<String>,
    /// The name people use.
    pub name: String,
    /// Such as `dev-script`.
    #[serde(rename = "type")]
    pub agent_type: String,
    /// Whatever it wants known.
    pub metadata: Map<String, Value>,
    /// The process whose end is the agent's end; the caller's own when not given.
    pub pid: Option<u32>,
    /// That process may be stopped, with what descends from it. It must be the caller's own, the
    /// script that called it, or a child of those.
    pub offer: bool,
    /// The project it works in.
    #[serde(with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
    /// The AI session that owns it.
    pub session: Option<String>,
}

/// One unit or agent: by id, name or id prefix.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Which {
    /// An exact id, an exact name, or an id prefix of four or more.
    pub id: String,
    /// Names are looked up in this project first; none: everywhere.
    #[serde(default, with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
}

/// Changes what an agent says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgentUpdateStatus {
    /// Which agent.
    pub id: String,
    /// Where names are looked up first.
    #[serde(default, with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
    /// Its new presence.
    pub status: Presence,
    /// A word more.
    #[serde(default)]
    pub detail: Option<String>,
}

/// One log line of an agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgentLog {
    /// Which agent.
    pub id: String,
    /// Where names are looked up first.
    #[serde(default, with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
    /// The text.
    pub message: String,
    /// `debug`, `info`, `warn` or `error`.
    #[serde(default = "info")]
    pub level: String,
}

fn info() -> String {
    "info".to_owned()
}

/// Which part of the world a listing covers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Only this project. None: what belongs to no project.
    #[serde(with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
    /// Everything, whatever the project.
    pub all: bool,
}

/// Live units as agents, sorted by start.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentList {
    /// Which projects.
    #[serde(flatten)]
    pub scope: Scope,
    /// `next` of the answer before, when a listing does not fit into one frame.
    pub after: Option<String>,
}

/// Text for one agent, or for all in the scope.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageSend {
    /// Id, name or id prefix; none: every live agent of the scope, the sender excepted.
    pub to: Option<String>,
    /// Who sends: an agent's id, or a person's name.
    pub from: Option<String>,
    /// The text.
    pub text: String,
    /// By which the sender knows it: of two with one id, the second is no news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where the addressees are looked up.
    #[serde(flatten)]
    pub scope: Scope,
}

/// Messages, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageList {
    /// Only those for this agent (id, name or prefix).
    pub agent: Option<String>,
    /// Only those it has not read.
    pub unread: bool,
    /// Where messages and names are looked up.
    #[serde(flatten)]
    pub scope: Scope,
    /// `next` of the answer before.
    pub after: Option<String>,
}

/// Marks messages as read by `agent`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MessageAck {
    /// The reader's id.
    pub agent: String,
    /// Sequence numbers as `message.list` gave them.
    pub seqs: Vec<u64>,
}

/// Units, sorted by start.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UnitList {
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Ended ones too.
    pub ended: bool,
    /// Which projects.
    #[serde(flatten)]
    pub scope: Scope,
    /// `next` of the answer before.
    pub after: Option<String>,
}

/// The end of a unit's log, as numbered lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnitOutput {
    /// Which unit.
    pub id: String,
    /// Where names are looked up first.
    #[serde(default, with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
    /// At most so many lines.
    #[serde(default = "fifty")]
    pub tail: usize,
}

const fn fifty() -> usize {
    50
}

/// Ends a unit: its whole process tree. The answer comes when that is over, so a caller waits for
/// the grace and a few seconds more. `not_found` and `already_terminal` are refusals of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnitStop {
    /// Which unit.
    pub id: String,
    /// Where names are looked up first.
    #[serde(default, with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
    /// The AI session that asks: it is not told of the end. None: a person.
    #[serde(default)]
    pub session: Option<String>,
    /// How long it may take to end by itself, milliseconds; ten seconds when not given.
    #[serde(default)]
    pub grace_ms: Option<u64>,
}

/// Changes which ends of a unit are told; what is not given stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnitAlerts {
    /// Which unit.
    pub id: String,
    /// Where names are looked up first.
    #[serde(default, with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
    /// Which ends.
    #[serde(flatten)]
    pub choice: Choice,
}

/// A session begins, or goes on: a sign that it lives.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SessionBegin {
    /// The session's id, of the client's making.
    pub session: String,
    /// The project it works in.
    #[serde(default, with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
    /// The client's process: when it ends, so does the session, and while it lives, so does the
    /// session. The one that was named last counts.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Other ids of the same conversation, sixteen at most. From now on each of them means this
    /// session, in every call; what waited under any of them waits for it, each signal once. One that
    /// was a living session's already makes the two one; of one that ended only this id is taken.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// A session is over. What waits for it goes to other sessions of its project, units that end with it
/// are stopped, and it is told nothing more; until it gives a sign of life again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SessionEnd {
    /// Any of its ids.
    pub session: String,
}

/// A session and where it works. Each call that names one is a sign that the session lives.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Drainer {
    /// The session's id, of the client's making.
    pub session: String,
    /// The project it works in.
    #[serde(default, with = "super::raw::place_if")]
    pub project: Option<PathBuf>,
}

/// Takes the signals that wait for a session.
///
/// They count as told once the answer was written to the caller's connection; with `hold`, once a
/// later call names them in `ack`. Until then nobody else gets them; a connection that breaks, and
/// one that holds for more than a minute, give them back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the call")]
pub struct SignalDrain {
    /// Whose.
    #[serde(flatten)]
    pub drainer: Drainer,
    /// Numbers of signals that were told.
    #[serde(default)]
    pub ack: Vec<u64>,
    /// Keep them for this connection until it acknowledges them.
    #[serde(default)]
    pub hold: bool,
    /// Only look: they stay in the queue, those that somebody else is reading too.
    #[serde(default)]
    pub peek: bool,
    /// Only those of the drainer's project.
    #[serde(default)]
    pub here: bool,
    /// At the first such question of an AI session in a project: what failed there lately, too.
    #[serde(default)]
    pub brief: bool,
    /// With `peek`: those after this one.
    #[serde(default)]
    pub after: u64,
    /// At most so many; none when 0 (to acknowledge and no more).
    #[serde(default = "thousand")]
    pub limit: usize,
}

const fn thousand() -> usize {
    1000
}

/// Turns the connection into a stream of `event` notifications.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EventSubscribe {
    /// Only these event types; none: all.
    pub types: Option<Vec<String>>,
    /// Only this unit (id, name or prefix).
    pub unit: Option<String>,
    /// The output of units too, not only what they logged themselves.
    pub output: bool,
    /// First the last so many lines that each unit wrote before, then what comes. The answer's
    /// `history` says how many those are.
    pub tail: usize,
    /// Of `signal` events only those for this session, whatever the project.
    pub session: Option<String>,
    /// Which projects.
    #[serde(flatten)]
    pub scope: Scope,
}
