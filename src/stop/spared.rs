//! What is never signalled, whoever asks for it, and why.

use std::fmt;

use super::look::Look;
use super::shell;
use crate::os::{self, Identity, Processes};
use crate::{neutral, socket};

/// Who is around us.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// The daemon, which many units have to do with.
    pub(super) daemon: Option<u32>,
    /// This process, and whoever asked.
    selves: Vec<u32>,
    /// Those and their ancestors.
    askers: Vec<u32>,
    /// The daemon's ancestors.
    daemons: Vec<u32>,
}

impl Around {
    pub(super) fn at(processes: &Processes, asker: Option<u32>) -> Self {
        let selves: Vec<u32> = std::iter::once(std::process::id()).chain(asker).collect();
        let askers = selves.iter().flat_map(|pid| processes.above(*pid)).collect();
        let recorded = socket::recorded().map(|recorded| recorded.daemon);
        let daemon = recorded.filter(|daemon| processes.has(daemon)).map(|daemon| daemon.pid);
        let daemons = daemon.map(|daemon| processes.above(daemon)).unwrap_or_default();
        Self { daemon, selves, askers, daemons }
    }

    /// Whether it is us, or whoever asked.
    pub(super) fn is_self(&self, pid: u32) -> bool {
        self.selves.contains(&pid)
    }

    pub(super) fn is_around_daemon(&self, pid: u32) -> bool {
        self.daemons.contains(&pid)
    }
}

/// Why a process was not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is process 0 or 1.
    System,
    /// It runs for another user.
    Stranger,
    /// It is around whoever asked for the end.
    Ancestor,
    /// It is around the daemon.
    AroundDaemon,
    /// Somebody types there.
    Shell,
    /// It was told to, and has not.
    Lives,
}

impl Why {
    /// In words that follow `pid 7: `.
    pub const fn words(self) -> &'static str {
        match self {
            Self::System => "it is process 1 of this system or container",
            Self::Stranger => "it runs for another user",
            Self::Ancestor => "it is an ancestor of this command",
            Self::AroundDaemon => "it is an ancestor of the daemon",
            Self::Shell => "it is an interactive shell",
            Self::Lives => "it has not ended",
        }
    }
}

/// A process that was not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Which.
    pub process: Identity,
    /// And why.
    pub why: Why,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = neutral::line(&shown(self.process.pid));
        write!(f, "pid {} ({command}): {}", self.process.pid, self.why.words())
    }
}

/// What `pid` was called with, without secrets.
#[cfg(feature = "full")]
fn shown(pid: u32) -> String {
    crate::logs::mask::view::command_line(pid)
}

/// `ig-agent` tells nobody of it.
#[cfg(not(feature = "full"))]
fn shown(pid: u32) -> String {
    os::command_line(pid)
}

impl Look {
    /// Why `pid` is not signalled, whatever unit it is of; none when it may be.
    pub(super) fn spares(&self, pid: u32) -> Option<Why> {
        let ours = rustix::process::geteuid().as_raw();
        if pid <= 1 {
            Some(Why::System)
        } else if self.around.askers.contains(&pid) {
            Some(Why::Ancestor)
        } else if self.around.is_around_daemon(pid) {
            Some(Why::AroundDaemon)
        } else if os::user(pid).is_some_and(|user| user != ours) {
            Some(Why::Stranger)
        } else {
            None
        }
    }

    /// The same for what somebody only offered: shells in which somebody types stay, with all that
    /// runs in them.
    pub(super) fn spares_offered(&self, pid: u32) -> Option<Why> {
        let is_shell = |pid: u32| self.processes.get(pid).is_some_and(shell::is_interactive);
        self.spares(pid).or_else(|| is_shell(pid).then_some(Why::Shell))
    }
}
