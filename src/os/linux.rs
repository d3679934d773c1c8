//! Linux: /proc and pidfd.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Identity, PortOwner, Process};

pub(super) fn boot_id() -> String {
    text("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// A file's text. Names of processes need not be UTF-8, and must not hide them.
fn text(path: &str) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn path_of(file: BorrowedFd<'_>) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}

pub(super) fn process(pid: u32) -> Option<Process> {
    parse_stat(pid, &stat(pid)?)
}

/// One open, one read, one close: this is done for every process there is.
fn stat(pid: u32) -> Option<String> {
    use std::io::Read;
    let mut buffer = [0; 1024];
    let mut file = fs::File::open(format!("/proc/{pid}/stat")).ok()?;
    let count = file.read(&mut buffer).ok()?;
    // Names of processes need not be UTF-8, and must not hide them.
    Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

/// Fields of `/proc/PID/stat` (proc(5)): the name in parentheses may hold spaces and parentheses,
/// so the rest is counted from the last one.
fn parse_stat(pid: u32, stat: &str) -> Option<Process> {
    let (head, rest) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let mut numbers = [0_i64; 21];
    for number in &mut numbers {
        // The one field that is not signed is a limit that nobody asks for.
        *number = fields.next()?.parse().unwrap_or_default();
    }
    let id = |index: usize| u32::try_from(numbers[index]).ok();
    let count = |index: usize| u64::try_from(numbers[index]).unwrap_or_default();
    Some(Process {
        pid,
        parent: id(0)?,
        group: id(1)?,
        session: id(2)?,
        on_terminal: numbers[3] != 0,
        ticks: count(10) + count(11),
        start: u64::try_from(numbers[18]).ok()?,
        pages: count(20),
        zombie: matches!(state, "Z" | "X"),
        name: name.to_owned(),
    })
}

/// Not by getsid(2): it answers 0 for a leader outside, and rustix has no word for that.
pub(super) fn own_session() -> Option<u32> {
    process(std::process::id()).map(|process| process.session)
}

/// A pseudoterminal or a console; others nobody sits at.
pub(super) fn terminal(pid: u32) -> Option<(PathBuf, u64)> {
    let stat = stat(pid)?;
    let number = stat.get(stat.rfind(')')? + 2..)?.split(' ').nth(4)?.parse::<i32>().ok()?;
    // As proc(5) has it: the minor number is in bits 31 to 20 and 7 to 0, the major one in 15 to 8.
    let number = number.cast_unsigned();
    let (major, minor) = (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0x000f_ff00);
    let path = match (major, minor) {
        (136..=143, _) => format!("/dev/pts/{minor}"),
        (4, 1..64) => format!("/dev/tty{minor}"),
        (4, 64..) => format!("/dev/ttyS{}", minor - 64),
        _ => return None,
    };
    Some((path.into(), rustix::fs::makedev(major, minor)))
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

pub(super) fn processes() -> Vec<Process> {
    pids().filter_map(process).collect()
}

/// Pids are counted up and start over at the top: when that happened since `pid` was given, which
/// the last field of `/proc/loadavg` tells, everybody may be later than it.
pub(super) fn started_with(assignment: &[u8], since: u32) -> Vec<u32> {
    let load = text("/proc/loadavg").unwrap_or_default();
    let last = load.trim_end().rsplit(' ').next().and_then(|last| last.parse::<u32>().ok());
    let least = if last.is_some_and(|last| last >= since) { since } else { 0 };
    pids().filter(|pid| *pid > least && has(*pid, assignment)).collect()
}

fn has(pid: u32, assignment: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == assignment)
}

/// A handle that becomes readable when the process ends; None when it is gone already.
pub fn exit_handle(identity: &Identity) -> Option<OwnedFd> {
    let handle = pidfd_open(super::pid(identity.pid)?, PidfdFlags::NONBLOCK).ok()?;
    identity.is_alive().then_some(handle)
}

/// How the process behind `handle` ended, as its parent was told: from the kernel's own notes where it
/// keeps them (Linux 6.15), else as long as nobody took note of it. None while it lives.
pub fn exit_status(handle: &OwnedFd, identity: &Identity) -> Option<std::process::ExitStatus> {
    // In this order: the notes are written before what waits is cleared away.
    waiting_status(identity).or_else(|| crate::run::unix::exit_of(handle.as_fd()))
}

/// The exit status of a zombie: the last field of `/proc/PID/stat`.
fn waiting_status(identity: &Identity) -> Option<std::process::ExitStatus> {
    use std::os::unix::process::ExitStatusExt;
    let stat = text(&format!("/proc/{}/stat", identity.pid))?;
    let process = parse_stat(identity.pid, &stat)?;
    let is_it = process.zombie && process.start == identity.start && boot_id() == identity.boot;
    let status = stat.trim_end().rsplit(' ').next()?.parse().ok()?;
    is_it.then(|| std::process::ExitStatus::from_raw(status))
}

pub(super) fn signal(identity: &Identity, signal: Signal) -> bool {
    exit_handle(identity).is_some_and(|handle| pidfd_send_signal(handle, signal).is_ok())
}

/// Which sockets listen on which ports.
pub(super) struct Listeners(Vec<Listener>);

impl Listeners {
    /// Whoever is in none of `groups` does not matter, but the kernel tells of all.
    pub(super) fn of(groups: &[Vec<u32>]) -> Self {
        let anybody = groups.iter().any(|group| !group.is_empty());
        let mut found = if anybody { listeners() } else { Vec::new() };
        found.sort_unstable_by_key(|listener| listener.inode);
        Self(found)
    }

    pub(super) fn ports(&self, pid: u32) -> Vec<u16> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let port = |inode: u64| {
            let at = self.0.binary_search_by_key(&inode, |listener| listener.inode).ok()?;
            self.0.get(at).map(|listener| listener.port)
        };
        sockets_of(pid).into_iter().filter_map(port).collect()
    }
}

pub(super) fn port_owner(port: u16) -> Option<PortOwner> {
    let inodes: Vec<u64> =
        listeners().into_iter().filter(|l| l.port == port).map(|l| l.inode).collect();
    let owner = processes()
        .into_iter()
        .find(|p| sockets_of(p.pid).iter().any(|socket| inodes.contains(socket)))?;
    Some(PortOwner { pid: owner.pid, command: command_line(owner.pid) })
}

#[cfg(feature = "full")]
pub(super) fn port_owners(port: u16) -> Vec<u32> {
    let inodes: Vec<u64> =
        listeners().into_iter().filter(|l| l.port == port).map(|l| l.inode).collect();
    let holds = |p: &Process| sockets_of(p.pid).iter().any(|socket| inodes.contains(socket));
    if inodes.is_empty() {
        return Vec::new();
    }
    processes().into_iter().filter(holds).map(|p| p.pid).collect()
}

/// Clock ticks of `/proc/PID/stat` per second: always a hundred, whatever the kernel's own rate is.
#[cfg(feature = "full")]
const TICKS: u64 = 100;

#[cfg(feature = "full")]
pub(super) fn usage(process: &Process) -> super::Usage {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or_default();
    super::Usage { cpu_ms: process.ticks * 1000 / TICKS, memory: process.pages * page }
}

/// The first of the numbers that `/proc/PID/status` has after `Uid:`.
pub(super) fn user(pid: u32) -> Option<u32> {
    let status = text(&format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}

pub(super) fn words(pid: u32) -> Vec<Vec<u8>> {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let raw = raw.strip_suffix(b"\0").unwrap_or(&raw);
    if raw.is_empty() {
        Vec::new()
    } else {
        raw.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    }
}

pub(super) fn reads_terminal(pid: u32) -> bool {
    let input = fs::read_link(format!("/proc/{pid}/fd/0"));
    input.is_ok_and(|path| path.starts_with("/dev/pts") || path.starts_with("/dev/tty"))
}

pub(super) fn adopt_orphans(name: &str) {
    use rustix::process::{getpid, set_child_subreaper};
    let _ = set_child_subreaper(Some(getpid()));
    let _ = fs::write("/proc/self/comm", name);
}

pub(super) fn leave_orphans() {
    let _ = rustix::process::set_child_subreaper(None);
}

/// Where the kernel does not list them they are looked for among all.
pub(super) fn own_children() -> Vec<u32> {
    let Some(listed) = text("/proc/thread-self/children") else {
        let own = std::process::id();
        return processes().iter().filter(|one| one.parent == own).map(|one| one.pid).collect();
    };
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

pub(super) fn is_childless_copy(pid: u32) -> bool {
    let name = |pid: u32| process(pid).map(|process| process.name);
    let children = text(&format!("/proc/{pid}/task/{pid}/children"));
    children.is_some_and(|children| children.trim().is_empty())
        && name(pid) == name(std::process::id())
}

#[cfg(feature = "full")]
pub(super) fn bearing(name: &[u8]) -> Vec<(u32, String)> {
    pids().filter_map(|pid| Some((pid, variable(pid, name)?))).collect()
}

pub(super) fn variable(pid: u32, name: &[u8]) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let entries = environment.split(|byte| *byte == 0);
    let mut values = entries.filter_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="));
    values.next().map(|value| String::from_utf8_lossy(value).into_owned())
}

struct Listener {
    port: u16,
    inode: u64,
}

/// Listening TCP sockets of this network namespace (`/proc/net/tcp`, state 0A).
fn listeners() -> Vec<Listener> {
    let mut found = Vec::new();
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = text(path).unwrap_or_default();
        found.extend(table.lines().skip(1).filter_map(parse_listener));
    }
    found
}

fn parse_listener(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = fields.get(1)?.rsplit_once(':')?;
    let listening = *fields.get(3)? == "0A";
    let port = u16::from_str_radix(port, 16).ok()?;
    listening.then_some(Listener { port, inode: fields.get(9)?.parse().ok()? })
}

fn sockets_of(pid: u32) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| socket_inode(&entry.path())).collect()
}

fn socket_inode(link: &Path) -> Option<u64> {
    let target = fs::read_link(link).ok()?;
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

pub(super) fn command_line(pid: u32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&raw).trim_end_matches('\0').replace('\0', " ");
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_survives_a_nasty_name() {
        let fields = "S 7 8 9 0 -1 4194304 1 0 0 0 3 4 0 0 20 0 1 0 4242 0 17 18446744073709551615";
        let process = parse_stat(5, &format!("5 (a) b ) R (c)) {fields}\n")).unwrap();
        assert_eq!((process.parent, process.group, process.session), (7, 8, 9));
        assert_eq!((process.start, process.zombie), (4242, false));
        assert_eq!((process.ticks, process.pages, process.on_terminal), (7, 17, false));
        assert_eq!(process.name, "a) b ) R (c)");
    }
}
