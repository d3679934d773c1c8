//! macOS (and the BSDs): the same answers from `ps`, `lsof` and `sysctl`, which every such system
//! has. Slower than /proc, so nothing here is on a hot path.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Signal, kill_process};

use super::{Identity, PortOwner, Process};

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).env("LC_ALL", "C").stdin(Stdio::null()).output();
    output.map_or_else(|_| String::new(), |o| String::from_utf8_lossy(&o.stdout).into_owned())
}

pub(super) fn boot_id() -> String {
    output("sysctl", &["-n", "kern.boottime"]).trim().to_owned()
}

pub(super) fn process(pid: u32) -> Option<Process> {
    ps(&["-p", &pid.to_string()]).into_iter().next()
}

pub(super) fn own_session() -> Option<u32> {
    rustix::process::getsid(None).ok()?.as_raw_pid().try_into().ok()
}

pub(super) fn terminal(pid: u32) -> Option<(PathBuf, u64)> {
    use std::os::unix::fs::MetadataExt;
    let name = output("ps", &["-p", &pid.to_string(), "-o", "tty="]);
    let name = name.trim();
    // Without one it is `??` or `-`.
    let path = PathBuf::from("/dev").join(Some(name).filter(|name| name.starts_with("tty"))?);
    let device = path.metadata().ok()?.rdev();
    Some((path, device))
}

pub(super) fn processes() -> Vec<Process> {
    ps(&["-ax"])
}

/// `ps` has no session ids there, and its start time is text: a hash of it tells two apart.
fn ps(which: &[&str]) -> Vec<Process> {
    let mut args = which.to_vec();
    args.extend(["-o", "pid=,ppid=,pgid=,stat=,rss=,time=,tty=,lstart="]);
    output("ps", &args).lines().filter_map(parse_ps).collect()
}

fn parse_ps(line: &str) -> Option<Process> {
    let mut fields = line.split_whitespace();
    let mut number = || fields.next()?.parse::<u32>().ok();
    let (pid, parent, group) = (number()?, number()?, number()?);
    let zombie = fields.next()?.starts_with('Z');
    let pages = fields.next()?.parse().ok()?;
    let ticks = hundredths(fields.next()?);
    let on_terminal = !fields.next()?.starts_with(['?', '-']);
    let start = fields.flat_map(str::bytes).fold(0_u64, |hash, byte| {
        hash.wrapping_mul(1_099_511_628_211).wrapping_add(u64::from(byte))
    });
    Some(Process {
        pid,
        parent,
        group,
        session: 0,
        start,
        zombie,
        on_terminal,
        name: String::new(),
        ticks,
        pages,
    })
}

/// `[[days-]hours:]minutes:seconds.hundredths`
fn hundredths(time: &str) -> u64 {
    let parts = time.split([':', '-']).map(str::parse::<f64>);
    let seconds = parts.map_while(Result::ok).fold(0.0, |sum, part| sum * 60.0 + part);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length of time")]
    let hundredths = (seconds * 100.0) as u64;
    hundredths
}

pub(super) fn signal(identity: &Identity, signal: Signal) -> bool {
    identity.is_alive()
        && super::pid(identity.pid).is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// Environments of other processes are not readable there.
pub(super) fn started_with(_assignment: &[u8], _since: u32) -> Vec<u32> {
    Vec::new()
}

/// Who listens on which port.
pub(super) struct Listeners(Vec<(u32, u16)>);

impl Listeners {
    /// One look for all of them.
    pub(super) fn of(groups: &[Vec<u32>]) -> Self {
        let list = groups.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(",");
        if list.is_empty() {
            return Self(Vec::new());
        }
        let text = output("lsof", &["-nP", "-a", "-p", &list, "-iTCP", "-sTCP:LISTEN", "-Fpn"]);
        let (mut found, mut owner) = (Vec::new(), 0);
        for line in text.lines() {
            if let Some(pid) = line.strip_prefix('p') {
                owner = pid.parse().unwrap_or_default();
            } else if let Some(port) = line.rsplit_once(':').and_then(|(_, p)| p.parse().ok()) {
                found.push((owner, port));
            }
        }
        Self(found)
    }

    pub(super) fn ports(&self, pid: u32) -> Vec<u16> {
        self.0.iter().filter(|(owner, _)| *owner == pid).map(|(_, port)| *port).collect()
    }
}

pub(super) fn port_owner(port: u16) -> Option<PortOwner> {
    let text = output("lsof", &["-nP", &format!("-iTCP:{port}"), "-sTCP:LISTEN", "-Fp"]);
    let pid: u32 = text.lines().find_map(|line| line.strip_prefix('p')?.parse().ok())?;
    Some(PortOwner { pid, command: command_line(pid) })
}

pub(super) fn command_line(pid: u32) -> String {
    let command = output("ps", &["-p", &pid.to_string(), "-o", "command="]);
    command.trim().chars().map(|c| if c.is_control() { '?' } else { c }).take(80).collect()
}

#[cfg(target_vendor = "apple")]
pub(super) fn path_of(file: BorrowedFd<'_>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let path = rustix::fs::getpath(file).ok()?;
    Some(std::ffi::OsString::from_vec(path.into_bytes()).into())
}

#[cfg(not(target_vendor = "apple"))]
pub(super) fn path_of(_file: BorrowedFd<'_>) -> Option<PathBuf> {
    None
}

#[cfg(feature = "full")]
pub(super) fn port_owners(port: u16) -> Vec<u32> {
    let text = output("lsof", &["-nP", &format!("-iTCP:{port}"), "-sTCP:LISTEN", "-Fp"]);
    text.lines().filter_map(|line| line.strip_prefix('p')?.parse().ok()).collect()
}

/// Of a process the pages are kilobytes there, and the ticks hundredths of a second.
#[cfg(feature = "full")]
pub(super) fn usage(process: &Process) -> super::Usage {
    super::Usage { cpu_ms: process.ticks * 10, memory: process.pages * 1024 }
}

pub(super) fn user(pid: u32) -> Option<u32> {
    output("ps", &["-p", &pid.to_string(), "-o", "ruid="]).trim().parse().ok()
}

pub(super) fn words(pid: u32) -> Vec<Vec<u8>> {
    let command = output("ps", &["-p", &pid.to_string(), "-o", "command="]);
    command.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
}

/// Not told there: whoever has a terminal is taken to read it.
pub(super) fn reads_terminal(pid: u32) -> bool {
    terminal(pid).is_some()
}

/// Nothing there does that.
pub(super) fn adopt_orphans(_name: &str) {}

pub(super) fn leave_orphans() {}

/// Not told at once there.
pub(super) fn own_children() -> Vec<u32> {
    Vec::new()
}

pub(super) fn is_childless_copy(_pid: u32) -> bool {
    false
}

/// Environments of other processes are not readable there.
#[cfg(feature = "full")]
pub(super) fn bearing(_name: &[u8]) -> Vec<(u32, String)> {
    Vec::new()
}

/// Environments of other processes are not readable there.
pub(super) fn variable(_pid: u32, _name: &[u8]) -> Option<String> {
    None
}
