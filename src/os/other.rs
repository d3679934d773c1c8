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

pub(super) fn processes() -> Vec<Process> {
    ps(&["-ax"])
}

/// `ps` has no session ids there, and its start time is text: a hash of it tells two apart.
fn ps(which: &[&str]) -> Vec<Process> {
    let mut args = which.to_vec();
    args.extend(["-o", "pid=,ppid=,pgid=,stat=,lstart="]);
    output("ps", &args).lines().filter_map(parse_ps).collect()
}

fn parse_ps(line: &str) -> Option<Process> {
    let mut fields = line.split_whitespace();
    let mut number = || fields.next()?.parse::<u32>().ok();
    let (pid, parent, group) = (number()?, number()?, number()?);
    let zombie = fields.next()?.starts_with('Z');
    let start = fields.flat_map(str::bytes).fold(0_u64, |hash, byte| {
        hash.wrapping_mul(1_099_511_628_211).wrapping_add(u64::from(byte))
    });
    Some(Process { pid, parent, group, session: 0, start, zombie })
}

pub(super) fn signal(identity: &Identity, signal: Signal) -> bool {
    identity.is_alive()
        && super::pid(identity.pid).is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// Environments of other processes are not readable there.
pub(super) fn started_with(_assignment: &[u8], _since: u32) -> Vec<u32> {
    Vec::new()
}

pub(super) fn listening_ports(pids: &[u32]) -> Vec<u16> {
    let list = pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let text = output("lsof", &["-nP", "-a", "-p", &list, "-iTCP", "-sTCP:LISTEN", "-Fn"]);
    let mut ports: Vec<u16> =
        text.lines().filter_map(|l| l.rsplit_once(':')?.1.parse().ok()).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
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

#[cfg(feature = "full")]
pub(super) fn usage(pid: u32) -> Option<super::Usage> {
    let text = output("ps", &["-p", &pid.to_string(), "-o", "rss=,time="]);
    let mut fields = text.split_whitespace();
    let memory = fields.next()?.parse::<u64>().ok()? * 1024;
    // `[[days-]hours:]minutes:seconds.hundredths`
    let parts = fields.next()?.split([':', '-']).map(str::parse::<f64>);
    let seconds = parts.map_while(Result::ok).fold(0.0, |sum, part| sum * 60.0 + part);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length of time")]
    Some(super::Usage { cpu_ms: (seconds * 1000.0) as u64, memory })
}

/// Environments of other processes are not readable there.
#[cfg(feature = "full")]
pub(super) fn bearing(_name: &[u8]) -> Vec<(u32, String)> {
    Vec::new()
}

#[cfg(feature = "full")]
pub(super) fn variable(_pid: u32, _name: &[u8]) -> Option<String> {
    None
}
