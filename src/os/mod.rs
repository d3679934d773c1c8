//! What Linux and macOS do differently: process identity, process trees, listening ports.
//!
//! A process is known by (pid, kernel start time, boot): a bare pid may belong to a stranger by the
//! time we look again.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as here;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as here;

use serde::{Deserialize, Serialize};

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
        Some(Self { pid, start: process.start, boot: here::boot_id() })
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

/// Tells this boot of the machine from all others.
pub fn boot() -> String {
    here::boot_id()
}

/// What the kernel tells of one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    pub(crate) start: u64,
    pub(crate) zombie: bool,
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
    let boot = here::boot_id();
    here::processes()
        .into_iter()
        .filter(|p| !p.zombie && [p.group, p.session].iter().any(|id| leaders.contains(id)))
        .map(|p| Identity { pid: p.pid, start: p.start, boot: boot.clone() })
        .collect()
}

/// Everybody who was started with the variable `assignment` (`NAME=value`) in the environment; only
/// those whose pid is later than `since`, where that is not 0: a short look, where few are. Nobody
/// where the system does not tell.
pub fn started_with(assignment: &str, since: u32) -> Vec<Identity> {
    let found = here::started_with(assignment.as_bytes(), since);
    found.into_iter().filter_map(Identity::of).collect()
}

/// `root` and its descendants, and whoever is in the group or session that `root` leads.
///
/// Reparented processes are found by group and session, which they keep unless they leave on purpose.
pub fn tree(root: u32) -> Vec<Identity> {
    trees(&[root]).pop().unwrap_or_default()
}

/// The [`tree`] of the process that `root` is or was: nothing when its pid is another's by now. As long
/// as somebody is in its group or session, the kernel gives that number to nobody else.
pub fn tree_of(root: &Identity) -> Vec<Identity> {
    let (all, boot) = (here::processes(), here::boot_id());
    let taken_over = |p: &Process| p.pid == root.pid && p.start != root.start;
    if boot != root.boot || all.iter().any(taken_over) {
        return Vec::new();
    }
    tree_among(&all, &boot, root.pid)
}

/// The [`tree`] of each of `roots`, from one look at all processes.
pub fn trees(roots: &[u32]) -> Vec<Vec<Identity>> {
    let (all, boot) = (here::processes(), here::boot_id());
    roots.iter().map(|root| tree_among(&all, &boot, *root)).collect()
}

fn tree_among(all: &[Process], boot: &str, root: u32) -> Vec<Identity> {
    let mut found = vec![root];
    found.extend(all.iter().filter(|p| p.group == root || p.session == root).map(|p| p.pid));
    loop {
        let before = found.len();
        for process in all {
            if found.contains(&process.parent) && !found.contains(&process.pid) {
                found.push(process.pid);
            }
        }
        if found.len() == before {
            break;
        }
    }
    all.iter()
        .filter(|p| found.contains(&p.pid) && !p.zombie)
        .map(|p| Identity { pid: p.pid, start: p.start, boot: boot.to_owned() })
        .collect()
}

/// The TCP ports that any of `pids` listens on, sorted.
pub fn listening_ports(pids: &[u32]) -> Vec<u16> {
    if pids.is_empty() { Vec::new() } else { here::listening_ports(pids) }
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

/// What `pids` use together.
#[cfg(feature = "full")]
pub fn usage(pids: &[u32]) -> Usage {
    pids.iter().filter_map(|pid| here::usage(*pid)).fold(Usage::default(), |sum, one| Usage {
        cpu_ms: sum.cpu_ms + one.cpu_ms,
        memory: sum.memory + one.memory,
    })
}

/// Everybody who was started with the variable `name` in the environment, and its value.
#[cfg(feature = "full")]
pub fn bearing(name: &str) -> Vec<(Identity, String)> {
    let found = here::bearing(name.as_bytes());
    found.into_iter().filter_map(|(pid, value)| Some((Identity::of(pid)?, value))).collect()
}

/// The value of the variable `name` that `pid` was started with.
#[cfg(feature = "full")]
pub fn variable(pid: u32, name: &str) -> Option<String> {
    here::variable(pid, name.as_bytes())
}

/// Who leads or led the session that we are in; none where that is nobody of our pid namespace.
pub fn own_session() -> Option<u32> {
    here::own_session().filter(|leader| *leader > 0)
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
