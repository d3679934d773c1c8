//! How a unit stands: its status, how its end is known, and what it says of itself.

use serde::{Deserialize, Serialize};

/// Where a unit stands in its life. The last three are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made, not started.
    Pending,
    /// Its process lives.
    Running,
    /// It ended with exit code 0, or said that it succeeded.
    Completed,
    /// It ended with another code, or crashed.
    Failed,
    /// It was stopped, or died of a signal that is not a crash.
    Killed,
    /// Its record cannot be read. No record says so itself.
    Unknown,
}

impl Status {
    /// Every status that a record may have.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Killed];

    /// Whether a unit never leaves this status.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Killed | Self::Unknown)
    }

    /// The status that a process's end means. A crash by SEGV, ABRT, BUS, ILL or FPE is a failure.
    pub fn of_end(exit_code: Option<i32>, signal: Option<i32>) -> Self {
        use rustix::process::Signal;
        let crashes = [Signal::SEGV, Signal::ABORT, Signal::BUS, Signal::ILL, Signal::FPE];
        match (exit_code, signal) {
            (_, Some(signal)) if crashes.iter().any(|s| s.as_raw() == signal) => Self::Failed,
            (_, Some(_)) | (None, None) => Self::Killed,
            (Some(0), None) => Self::Completed,
            (Some(_), None) => Self::Failed,
        }
    }

    /// The word used in files, on the wire and for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Killed => "killed",
            Self::Unknown => "unknown",
        }
    }
}

/// Who told how a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndSource {
    /// Its runner, which waited for it.
    Runner,
    /// The kernel, which keeps the exit status of a process for whoever holds a handle on it.
    Kernel,
    /// The script itself, unconfirmed.
    #[serde(rename = "self")]
    Itself,
    /// Nobody: it went without a word.
    Unknown,
}

impl EndSource {
    /// Every source.
    pub const ALL: [Self; 4] = [Self::Runner, Self::Kernel, Self::Itself, Self::Unknown];

    /// The word used in files, on the wire and for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Runner => "runner",
            Self::Kernel => "kernel",
            Self::Itself => "self",
            Self::Unknown => "unknown",
        }
    }
}

/// What a live unit says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// At work, ready for messages.
    #[default]
    Active,
    /// Nothing to do.
    Idle,
    /// At work, do not disturb.
    Busy,
    /// It has ended, and says nothing any more: null in JSON.
    #[serde(untagged)]
    Gone,
}

impl Presence {
    /// The presence called `word`.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Idle, Self::Busy].into_iter().find(|p| p.word() == word)
    }

    /// The word used in files, on the wire and for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Gone => "",
        }
    }
}
