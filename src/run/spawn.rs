//! Starting the command: on a PTY of its own session, or on pipes.
//!
//! The one place with `unsafe`: between fork and exec the child makes the PTY its terminal, for
//! which std has no word.
#![allow(unsafe_code, reason = "pre_exec: the child's session and terminal")]

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcsetattr, tcsetwinsize};

use super::plan::Plan;
use super::terminal;
use crate::error::{Error, Result, exit};
use crate::neutral;
use crate::record::index::Stream;
use crate::wire::unit::Unit;

/// A running command and where its output comes from.
pub(super) struct Child {
    pub(super) process: std::process::Child,
    pub(super) sources: Vec<Source>,
    /// The terminal's other end, when the command has one.
    pub(super) pty: Option<OwnedFd>,
}

/// Output to be read.
pub(super) struct Source {
    pub(super) fd: OwnedFd,
    pub(super) stream: Stream,
}

impl Child {
    pub(super) fn streams(&self) -> Vec<Stream> {
        self.sources.iter().map(|source| source.stream).collect()
    }
}

/// Starts the command of `plan` as `unit`'s own process.
pub(super) fn spawn(plan: &Plan, unit: &Unit) -> Result<Child> {
    let mut command = Command::new(&plan.argv[0]);
    command.args(&plan.argv[1..]);
    introduce(&mut command, unit);
    if plan.tree {
        end_with_us(&mut command);
    }
    let on_pty = plan.pty.unwrap_or_else(|| !plan.detached && terminal::is_interactive());
    let child = if on_pty { on_terminal(command) } else { on_pipes(command, plan.detached) };
    child.map_err(|cause| refused(&plan.argv[0], &cause))
}

/// What a unit's child sees of us.
fn introduce(command: &mut Command, unit: &Unit) {
    command
        .env("IDLERGEAR_RUN_ID", unit.id.as_str())
        .env("IDLERGEAR_AGENT_ID", unit.id.as_str())
        .env("IDLERGEAR_RUNNER_PID", std::process::id().to_string());
    if let Some(project) = &unit.project {
        command.env("IDLERGEAR_PROJECT", project);
    }
}

fn on_pipes(mut command: Command, detached: bool) -> io::Result<Child> {
    if detached {
        command.stdin(Stdio::null()).process_group(0);
    }
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout =
        process.stdout.take().map(|pipe| Source { fd: pipe.into(), stream: Stream::Stdout });
    let stderr =
        process.stderr.take().map(|pipe| Source { fd: pipe.into(), stream: Stream::Stderr });
    let sources: Vec<Source> = stdout.into_iter().chain(stderr).collect();
    sources.iter().try_for_each(|source| non_blocking(&source.fd))?;
    Ok(Child { process, sources, pty: None })
}

fn on_terminal(mut command: Command) -> io::Result<Child> {
    let (master, slave) = open_pty()?;
    command.stdin(slave.try_clone()?).stdout(slave.try_clone()?);
    let apart = !rustix::termios::isatty(rustix::stdio::stderr());
    if apart {
        command.stderr(Stdio::piped());
    } else {
        command.stderr(slave.try_clone()?);
    }
    // SAFETY: setsid and ioctl are async-signal-safe, and nothing here allocates or locks.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            Ok(())
        });
    }
    let mut process = command.spawn()?;
    let output = Source { fd: master.try_clone()?, stream: Stream::Output };
    let stderr =
        process.stderr.take().map(|pipe| Source { fd: pipe.into(), stream: Stream::Stderr });
    let sources: Vec<Source> = std::iter::once(output).chain(stderr).collect();
    sources.iter().try_for_each(|source| non_blocking(&source.fd))?;
    Ok(Child { process, sources, pty: Some(master) })
}

/// A new PTY with the settings and the size of the user's own terminal.
fn open_pty() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let slave = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty())?;
    let (settings, size) = terminal::settings();
    if let Some(settings) = settings {
        tcsetattr(&slave, OptionalActions::Now, &settings)?;
    }
    if let Some(size) = size {
        tcsetwinsize(&slave, size)?;
    }
    Ok((master, slave))
}

/// Asks the kernel to end the command when we are killed: a script that stands for its server must
/// not leave it behind.
#[cfg(target_os = "linux")]
fn end_with_us(command: &mut Command) {
    use rustix::process::{Signal, set_parent_process_death_signal};
    // SAFETY: prctl is async-signal-safe.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
    }
}

/// Only Linux can; elsewhere the terminal's hangup has to do.
#[cfg(not(target_os = "linux"))]
fn end_with_us(_command: &mut Command) {}

fn non_blocking(fd: &OwnedFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd.as_fd())?;
    Ok(rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK)?)
}

/// The codes that every shell uses: 127 not found, 126 found but not to be executed.
fn refused(program: &str, cause: &io::Error) -> Error {
    let exists = std::path::Path::new(program).exists();
    let (code, words) = match cause.kind() {
        ErrorKind::NotFound if exists => {
            (exit::NOT_EXECUTABLE, "its interpreter is missing".to_owned())
        }
        ErrorKind::NotFound => (exit::NOT_FOUND, "command not found".to_owned()),
        ErrorKind::PermissionDenied => (exit::NOT_EXECUTABLE, "permission denied".to_owned()),
        _ if cause.raw_os_error() == Some(8) => {
            (exit::NOT_EXECUTABLE, "not a program: its first line names no interpreter".to_owned())
        }
        _ => (exit::RUN_FAILED, cause.to_string()),
    };
    let error = Error::new(format!("cannot run `{}`: {words}", neutral::line(program))).code(code);
    if exists && code == exit::NOT_EXECUTABLE {
        return error.next(format!("chmod +x {program}, or bash {program}"));
    }
    error
}
