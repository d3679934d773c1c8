//! A signal: something an AI session should know, as `signal.drain` tells it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::unit::Status;

/// How much a signal wants to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// Wake the session.
    Now,
    /// At its next turn.
    Next,
    /// Not told; known to whoever asks.
    Never,
}

impl Attention {
    /// The word used in files, on the wire and for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Next => "next",
            Self::Never => "never",
        }
    }
}

/// One signal. It has exactly one of `lifecycle`, `event` and `digest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Grows with each signal; tells a repeat from news.
    pub seq: u64,
    /// The unit it is about; empty for a digest.
    pub daemon_id: String,
    /// The unit's kind; `digest` for a digest.
    pub kind: String,
    /// RFC 3339.
    pub at: String,
    /// How much it wants to be heard.
    pub attention: Attention,
    /// The unit as it stood then. Null for a digest.
    #[serde(default)]
    pub snapshot: Value,
    /// It was so before the session came, which is told at its first question.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub earlier: bool,
    /// It ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// It wrote lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<StreamEvent>,
    /// Signals that were too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// A unit reached a final status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Which one.
    pub status: Status,
}

/// Lines of a monitor that came within a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamEvent {
    /// The lines, with newlines between them; those of standard error begin with `stderr: `.
    pub line: String,
    /// The last one: only its end follows.
    pub closing: bool,
    /// How many lines before these came too fast to be told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub suppressed: u64,
}

/// What stands for signals that had to go because too many waited for their session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// How many, by what they were: `event`, `completed`, `failed`, `killed`.
    pub dropped: Map<String, Value>,
    /// The lowest number among them.
    pub first: u64,
    /// The highest number among them.
    pub last: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this form")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The answer to `signal.drain`: `{"schema": 1, "signals": [...]}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Signals {
    /// Grows when a field changes its meaning.
    pub schema: u32,
    /// Oldest first.
    pub signals: Vec<Signal>,
    /// There are more: ask again.
    #[serde(default)]
    pub more: bool,
    /// With `here`: how many of other projects wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub elsewhere: u64,
}

/// The answer to `signal.pending`: what waits and is not on its way to somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// All of them.
    pub count: u64,
    /// Those that want to wake the session.
    pub now: u64,
    /// Those for its next turn.
    pub next: u64,
}

/// The answer to `unit.stop`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stopped {
    /// The unit as it was before.
    pub unit: super::unit::Unit,
    /// Processes that could not be ended...
    pub left: Vec<u32>,
    /// ...and why, in the same order, for people.
    #[serde(default)]
    pub why: Vec<String>,
}

/// The answer to `unit.evict`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Evicted {
    /// Whether there was such a unit.
    pub evicted: bool,
}
