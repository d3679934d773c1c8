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
    let stat = text(&format!("/proc/{pid}/stat"))?;
    parse_stat(pid, &stat)
}

/// Fields of `/proc/PID/stat` (proc(5)): the name in parentheses may hold spaces and parentheses,
/// so the rest is counted from the last one.
fn parse_stat(pid: u32, stat: &str) -> Option<Process> {
    let rest = stat.get(stat.rfind(')')? + 2..)?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Process {
        pid,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start: fields.get(19)?.parse().ok()?,
        zombie: matches!(fields.first(), Some(&("Z" | "X"))),
    })
}

/// Not by getsid(2): it answers 0 for a leader outside, and rustix has no word for that.
pub(super) fn own_session() -> Option<u32> {
    process(std::process::id()).map(|process| process.session)
}

/// A pseudoterminal or a console; others nobody sits at.
pub(super) fn terminal(pid: u32) -> Option<(PathBuf, u64)> {
    let stat = text(&format!("/proc/{pid}/stat"))?;
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

pub(super) fn listening_ports(pids: &[u32]) -> Vec<u16> {
    let mut sockets = Vec::new();
    for pid in pids {
        sockets.extend(sockets_of(*pid));
    }
    let mut ports: Vec<u16> = Vec::new();
    for listener in listeners().iter().filter(|l| sockets.contains(&l.inode)) {
        let at = ports.partition_point(|port| *port < listener.port);
        if ports.get(at) != Some(&listener.port) {
            ports.insert(at, listener.port);
        }
    }
    ports
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
pub(super) fn usage(pid: u32) -> Option<super::Usage> {
    let stat = text(&format!("/proc/{pid}/stat"))?;
    let rest: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    let number = |index: usize| rest.get(index)?.parse::<u64>().ok();
    let memory = text(&format!("/proc/{pid}/statm"))?;
    let pages: u64 = memory.split(' ').nth(1)?.parse().ok()?;
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    let cpu_ms = (number(11)? + number(12)?) * 1000 / TICKS;
    Some(super::Usage { cpu_ms, memory: pages * page })
}

#[cfg(feature = "full")]
pub(super) fn bearing(name: &[u8]) -> Vec<(u32, String)> {
    pids().filter_map(|pid| Some((pid, variable(pid, name)?))).collect()
}

#[cfg(feature = "full")]
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
        let fields = "S 7 8 9 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let process = parse_stat(5, &format!("5 (a) b ) R (c)) {fields}")).unwrap();
        assert_eq!((process.parent, process.group, process.session), (7, 8, 9));
        assert_eq!((process.start, process.zombie), (4242, false));
    }
}
