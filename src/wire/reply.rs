//! What the daemon answers, and what it tells subscribers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::unit::Unit;

/// Why a call failed: a number and a name for programs, words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "names as in JSON-RPC 2.0 and in `name`")]
pub enum ErrorCode {
    ParseError,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    InternalError,
    /// No such unit, agent or message.
    NotFound,
    /// The unit has ended; its status is final.
    AlreadyTerminal,
    /// More than one unit answers to that name or prefix.
    Ambiguous,
    /// The two sides speak different protocol versions.
    VersionMismatch,
    /// A line longer than the frame limit.
    FrameTooLarge,
    /// Another user, or a call before `hello`.
    NotPermitted,
    /// The unit's end was not told yet to everybody who should know.
    Undrained,
    /// Ig did not start the unit, and it did not offer itself: it is nobody's to stop.
    NotOwned,
}

impl ErrorCode {
    const TABLE: [(Self, i32, &'static str); 13] = [
        (Self::ParseError, -32700, "parse_error"),
        (Self::InvalidRequest, -32600, "invalid_request"),
        (Self::MethodNotFound, -32601, "method_not_found"),
        (Self::InvalidParams, -32602, "invalid_params"),
        (Self::InternalError, -32603, "internal_error"),
        (Self::NotFound, -32001, "not_found"),
        (Self::AlreadyTerminal, -32002, "already_terminal"),
        (Self::Ambiguous, -32003, "ambiguous"),
        (Self::VersionMismatch, -32004, "version_mismatch"),
        (Self::FrameTooLarge, -32005, "frame_too_large"),
        (Self::NotPermitted, -32006, "not_permitted"),
        (Self::Undrained, -32007, "undrained"),
        (Self::NotOwned, -32008, "not_owned"),
    ];

    fn row(self) -> (Self, i32, &'static str) {
        Self::TABLE.into_iter().find(|row| row.0 == self).unwrap_or(Self::TABLE[4])
    }

    /// The number on the wire.
    pub fn number(self) -> i32 {
        self.row().1
    }

    /// The name on the wire (`error.data.name`).
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// The code with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::TABLE.into_iter().find(|row| row.1 == number).map(|row| row.0)
    }
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    /// Which failure.
    pub code: ErrorCode,
    /// In words.
    pub message: String,
}

impl RpcError {
    /// A failure with its words.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The answer to `hello`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// [`super::PROTOCOL`] of the daemon.
    pub protocol: u32,
    /// Its program version.
    pub version: String,
    /// Its process.
    pub pid: u32,
}

/// The answer to `daemon.status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its process.
    pub pid: u32,
    /// Its program version.
    pub version: String,
    /// RFC 3339.
    pub started_at: String,
    /// Where it listens.
    #[serde(with = "super::raw::place")]
    pub socket: std::path::PathBuf,
    /// Live units, of all projects.
    pub units: usize,
    /// Messages nobody has read yet.
    pub unread: usize,
    /// Connections that follow events.
    pub subscribers: usize,
}

/// A listing of units: `{"schema": 1, "units": [...]}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Units {
    /// Grows when a field changes its meaning.
    pub schema: u32,
    /// Sorted by start.
    pub units: Vec<Unit>,
    /// There is more: ask again with this as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A listing of live units as agents: `{"schema": 1, "agents": [...]}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Agents {
    /// Grows when a field changes its meaning.
    pub schema: u32,
    /// Sorted by start.
    pub agents: Vec<Unit>,
    /// There is more: ask again with this as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One message and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// Grows by one with each message.
    pub seq: u64,
    /// RFC 3339.
    pub at: String,
    /// An agent's id or a person's name.
    pub from: String,
    /// The addressed agent's id; none: sent to all when nobody was there.
    pub to: Option<String>,
    /// The addressed agent's name.
    pub to_name: Option<String>,
    /// The text.
    pub text: String,
    /// Whether the addressee has read it.
    pub read: bool,
}

/// A listing of messages: `{"schema": 1, "messages": [...]}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Messages {
    /// Grows when a field changes its meaning.
    pub schema: u32,
    /// Oldest first.
    pub messages: Vec<Message>,
    /// There is more: ask again with this as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The answer to `message.send`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sent {
    /// The agents that will get it.
    pub to: Vec<Addressee>,
}

/// One agent that gets a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Addressee {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The params of an `event` notification.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one with each event of this daemon's life.
    pub seq: u64,
    /// `agent_registered`, `agent_unregistered`, `status_changed`, `log_event`, `message`, or a
    /// change of domain `daemons`: `added`, `removed`, `event`, a status word. `signal`: one waits
    /// for the sessions that it names. `cut_off`, the last one, tells a subscriber that it read too
    /// slowly.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What it is about; [`LogLine`] for `log_event`.
    pub data: Value,
}

/// One line of a unit, numbered within its stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The unit's id.
    pub id: String,
    /// The unit's name.
    pub name: String,
    /// `events`, `output`, `stdout` or `stderr`.
    pub stream: String,
    /// `debug`, `info`, `warn`, `error`; output has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// RFC 3339; none when the time was lost.
    #[serde(default)]
    pub at: Option<String>,
    /// The text, without its newline.
    pub text: String,
}

/// The answer to `unit.output`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Output {
    /// The unit's id.
    pub id: String,
    /// Its last lines, oldest first.
    pub lines: Vec<LogLine>,
    /// The same for people, in the form of the unit's kind; at most 64 KiB.
    #[serde(default)]
    pub text: String,
}
