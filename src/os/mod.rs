//! What Linux and macOS do differently: process identity, process trees, listening ports.
//!
//! A process is known by (pid, kernel start time, boot): a bare pid may belong to a stranger by the
//! time we look again. What this room promises:
//!
//! - [`signal`] reaches exactly the process that was meant, or nobody: on Linux through a pidfd that
//!   is checked before it is used.
//! - [`Processes`] is one look at all processes; whoever asks about many units takes one and passes it
//!   on. Nothing here looks at all processes for the sake of one of them, but for [`port_owner`].
//! - Whoever may be signalled at all is not decided here, but in [`crate::stop`].
//! - What a system does not tell is nobody, nothing or none, never a guess.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as here;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as here;

mod processes;

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub use processes::Processes;

/// One process, beyond doubt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The process id.
    pub pid: u32,
    /// When the kernel started it, in the kernel's own unit; only equality means something.
    pub start: u64,
    /// The boot it belongs to.
    pub boot: String,
}

impl Identity {
    /// The identity of the process that has `pid` now. None when there is none, or only a zombie.
    pub fn of(pid: u32) -> Option<Self> {
        let process = here::process(pid).filter(|p| !p.zombie)?;
        Some(Self { pid, start: process.start, boot: boot() })
    }

    /// The identity of this process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether this very process still runs. A zombie does not.
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}

/// The boot that we run in, which tells it from all others: the same as long as we live.
pub fn boot() -> String {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(here::boot_id).clone()
}

/// What the kernel tells of one process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    pub(crate) start: u64,
    pub(crate) zombie: bool,
    /// It has a controlling terminal.
    pub(crate) on_terminal: bool,
    /// What it calls itself, at most 15 bytes; empty where the system does not tell.
    pub(crate) name: String,
    /// Clock ticks of processor time that it used.
    #[cfg_attr(not(feature = "full"), allow(dead_code, reason = "ig-agent lists nothing"))]
    pub(crate) ticks: u64,
    /// Pages of memory that are its now.
    #[cfg_attr(not(feature = "full"), allow(dead_code, reason = "ig-agent lists nothing"))]
    pub(crate) pages: u64,
}

/// The parent of `pid`, while `pid` lives.
pub fn parent(pid: u32) -> Option<u32> {
    here::process(pid).map(|process| process.parent)
}

/// A process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortOwner {
    /// Its process id.
    pub pid: u32,
    /// Its command line, shortened.
    pub command: String,
}

/// Everybody in a group or a session that one of `leaders` leads or led, alive. Zombies do not count.
pub fn members(leaders: &[u32]) -> Vec<Identity> {
    let all = Processes::now();
    all.living(&all.led_by(leaders))
}

/// Everybody who was started with the variable `assignment` (`NAME=value`) in the environment; only
/// those whose pid is later than `since`, where that is not 0: a short look, where few are. Nobody
/// where the system does not tell.
pub fn started_with(assignment: &str, since: u32) -> Vec<Identity> {
    let found = here::started_with(assignment.as_bytes(), since);
    found.into_iter().filter_map(Identity::of).collect()
}

/// The [`Processes::tree`] of `root` at this moment.
pub fn tree(root: u32) -> Vec<Identity> {
    Processes::now().tree(root)
}

/// The TCP ports that any of `pids` listens on, sorted.
pub fn listening_ports(pids: &[u32]) -> Vec<u16> {
    listening_ports_of(&[pids.to_vec()]).pop().unwrap_or_default()
}

/// The TCP ports that any of each of `groups` of pids listens on, sorted: one look for all of them.
pub fn listening_ports_of(groups: &[Vec<u32>]) -> Vec<Vec<u16>> {
    let listeners = here::Listeners::of(groups);
    let ports = |group: &Vec<u32>| {
        let mut ports: Vec<u16> = Vec::new();
        for port in group.iter().flat_map(|pid| listeners.ports(*pid)) {
            if let Err(at) = ports.binary_search(&port) {
                ports.insert(at, port);
            }
        }
        ports
    };
    groups.iter().map(ports).collect()
}

/// Who listens on TCP `port`, if we may know.
pub fn port_owner(port: u16) -> Option<PortOwner> {
    here::port_owner(port)
}

/// Where an open file is now, whatever it was called when it was opened.
pub fn path_of(file: &impl std::os::fd::AsFd) -> Option<std::path::PathBuf> {
    here::path_of(file.as_fd())
}

/// Everybody who listens on TCP `port`, as far as we may know.
#[cfg(feature = "full")]
pub fn listeners(port: u16) -> Vec<u32> {
    here::port_owners(port)
}

/// The command line of `pid`, shortened, on one line. Empty where the system does not tell.
pub fn command_line(pid: u32) -> String {
    here::command_line(pid)
}

/// What processes have used, and use.
#[cfg(feature = "full")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, milliseconds.
    pub cpu_ms: u64,
    /// Memory that is theirs now, bytes; what they share counts for each.
    pub memory: u64,
}

/// Everybody who was started with the variable `name` in the environment, and its value.
#[cfg(feature = "full")]
pub fn bearing(name: &str) -> Vec<(Identity, String)> {
    let found = here::bearing(name.as_bytes());
    found.into_iter().filter_map(|(pid, value)| Some((Identity::of(pid)?, value))).collect()
}

/// The value of the variable `name` that `pid` was started with.
pub fn variable(pid: u32, name: &str) -> Option<String> {
    here::variable(pid, name.as_bytes())
}

/// Who leads or led the session that we are in; none where that is nobody of our pid namespace.
pub fn own_session() -> Option<u32> {
    here::own_session().filter(|leader| *leader > 0)
}

/// The user that `pid` runs for: its real user id.
pub fn user(pid: u32) -> Option<u32> {
    here::user(pid)
}

/// The program and the words of `pid`, each as it is; empty where the system does not tell.
pub(crate) fn words(pid: u32) -> Vec<Vec<u8>> {
    here::words(pid)
}

/// Whether the standard input of `pid` is a terminal, as far as the system tells.
pub(crate) fn reads_terminal(pid: u32) -> bool {
    here::reads_terminal(pid)
}

/// The value of `name` in the environment that each of `pids` was started with.
pub(crate) fn marks(pids: &[u32], name: &str) -> Vec<Option<String>> {
    pids.iter().map(|pid| here::variable(*pid, name.as_bytes())).collect()
}

/// Has orphaned descendants come to this process, which is called `name` from now on: so they are
/// found as long as it lives. Elsewhere than on Linux neither can be had.
pub fn adopt_orphans(name: &str) {
    here::adopt_orphans(name);
}

/// Takes back what [`adopt_orphans`] did, but for the name: whoever is executed next is no runner.
pub fn leave_orphans() {
    here::leave_orphans();
}

/// The pids of the children of this process, ended ones too; nobody where orphans do not come to us.
/// Of a process with several threads, only those that the calling one started.
pub fn own_children() -> Vec<u32> {
    here::own_children()
}

/// Whether `pid` is called as this process is, has one thread, and has no children: then nobody descends
/// from it. False where the system does not tell.
pub fn is_childless_copy(pid: u32) -> bool {
    here::is_childless_copy(pid)
}

/// The terminal that controls `pid`, and the number of its device.
pub fn terminal(pid: u32) -> Option<(std::path::PathBuf, u64)> {
    here::terminal(pid)
}

/// A pid as rustix wants it.
pub fn pid(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
}

/// Sends `signal` to exactly this process: never to one that took over its pid.
pub fn signal(identity: &Identity, signal: rustix::process::Signal) -> bool {
    here::signal(identity, signal)
}

/// Waits for the end of `identity` without polling, where the system can. See the module's users.
#[cfg(target_os = "linux")]
pub use linux::{exit_handle, exit_status};

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn identity_ends_with_the_process() {
        let mut child = Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert!(identity.is_alive());
        assert!(tree(std::process::id()).contains(&identity));
        assert!(signal(&identity, rustix::process::Signal::KILL));
        child.wait().unwrap();
        assert!(!identity.is_alive());
        assert!(!signal(&identity, rustix::process::Signal::KILL));
    }

    #[test]
    fn a_listener_and_its_port_find_each_other() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listening_ports(&[std::process::id()]).contains(&port));
        assert_eq!(port_owner(port).unwrap().pid, std::process::id());
    }
}
