//! What sorts of units there are.

use serde::{Deserialize, Serialize};

/// What sort of thing a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Runs, processes, scripts.
    LocalBash,
    /// AI sessions and subagents.
    LocalAgent,
    /// A command whose lines are events.
    Monitor,
    /// A language server.
    Lsp,
    /// Reserved.
    RemoteAgent,
    /// Reserved.
    InProcessTeammate,
    /// Reserved.
    LocalWorkflow,
    /// Reserved.
    Dream,
}

impl Kind {
    /// Every kind, the reserved ones too.
    pub const ALL: [Self; 8] = [
        Self::LocalBash,
        Self::LocalAgent,
        Self::Monitor,
        Self::Lsp,
        Self::RemoteAgent,
        Self::InProcessTeammate,
        Self::LocalWorkflow,
        Self::Dream,
    ];

    /// Kinds that can be started; the others are reserved.
    pub const STARTABLE: [Self; 4] = [Self::LocalBash, Self::LocalAgent, Self::Monitor, Self::Lsp];

    /// The letter that ids of this kind start with.
    pub const fn letter(self) -> char {
        match self {
            Self::LocalBash => 'b',
            Self::LocalAgent => 'a',
            Self::Monitor => 'm',
            Self::Lsp => 'l',
            Self::RemoteAgent => 'r',
            Self::InProcessTeammate => 't',
            Self::LocalWorkflow => 'w',
            Self::Dream => 'd',
        }
    }

    /// The word used in files, on the wire and for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::LocalBash => "local_bash",
            Self::LocalAgent => "local_agent",
            Self::Monitor => "monitor",
            Self::Lsp => "lsp",
            Self::RemoteAgent => "remote_agent",
            Self::InProcessTeammate => "in_process_teammate",
            Self::LocalWorkflow => "local_workflow",
            Self::Dream => "dream",
        }
    }
}
