//! Starting the command: on a PTY of its own session, or on pipes.
//!
//! With `unsafe`, for what a child does between fork and exec.
#![allow(unsafe_code, reason = "pre_exec: the child's group and terminal")]

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcsetattr, tcsetpgrp, tcsetwinsize};

use super::monitor::{self, Monitor, Stage};
use super::plan::Plan;
use super::{terminal, unix};
use crate::error::{Error, Result, exit};
use crate::neutral;
use crate::record::index::Stream;
use crate::wire::unit::Unit;

/// A running command and where its output comes from.
pub(super) struct Child {
    pub(super) pid: u32,
    parent: Parent,
    pub(super) sources: Vec<Source>,
    /// The terminal's other end, when the command has one.
    pub(super) pty: Option<OwnedFd>,
}

/// Output to be read.
pub(super) struct Source {
    pub(super) fd: OwnedFd,
    pub(super) stream: Stream,
}

/// Who waits for the command.
enum Parent {
    Us(std::process::Child),
    Monitor(Monitor),
}

impl Child {
    /// What becomes readable when something happened to the command; without one, SIGCHLD tells.
    pub(super) fn reports(&self) -> Option<BorrowedFd<'_>> {
        self.monitor().map(Monitor::reports)
    }

    pub(super) fn monitor(&self) -> Option<&Monitor> {
        match &self.parent {
            Parent::Us(_) => None,
            Parent::Monitor(monitor) => Some(monitor),
        }
    }

    /// The end of a command that is our own child.
    pub(super) fn reap(&mut self) -> Option<ExitStatus> {
        match &mut self.parent {
            Parent::Us(process) => process.try_wait().ok().flatten(),
            Parent::Monitor(_) => None,
        }
    }

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
    let child = if on_pty(plan) {
        on_terminal(command, plan.tree)
    } else {
        on_pipes(command, plan.detached)
    };
    child.map_err(|cause| refused(&plan.argv[0], &cause))
}

/// Whether the command gets a terminal of its own.
pub(super) fn on_pty(plan: &Plan) -> bool {
    plan.pty.unwrap_or_else(|| !plan.detached && terminal::is_interactive())
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
    Ok(Child { pid: process.id(), parent: Parent::Us(process), sources, pty: None })
}

fn on_terminal(command: Command, tree: bool) -> io::Result<Child> {
    let (master, slave) = open_pty()?;
    let apart = !rustix::termios::isatty(rustix::stdio::stderr());
    let pipe = if apart { Some(pipe_with(PipeFlags::CLOEXEC)?) } else { None };
    let (stderr, writer) = pipe.unzip();
    let foreground = !terminal::in_background();
    let stage = Stage { master, slave, stderr: writer, foreground, tree };
    let (monitor, pid, master) = monitor::start(command, stage)?;
    let output = Source { fd: master.try_clone()?, stream: Stream::Output };
    let stderr = stderr.map(|fd| Source { fd, stream: Stream::Stderr });
    let sources: Vec<Source> = std::iter::once(output).chain(stderr).collect();
    sources.iter().try_for_each(|source| non_blocking(&source.fd))?;
    Ok(Child { pid, parent: Parent::Monitor(monitor), sources, pty: Some(master) })
}

/// Makes `command` lead a process group, in the foreground of its terminal if so wished: before it
/// runs, so that it never sees anything else.
pub(super) fn in_own_group(command: &mut Command, foreground: bool) {
    // SAFETY: setpgid, ioctl and sigaction are async-signal-safe, and nothing here allocates.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setpgid(None, None)?;
            if foreground {
                let own = rustix::process::getpid();
                let take = || tcsetpgrp(rustix::stdio::stdin(), own);
                unix::ignoring(signal_hook::consts::SIGTTOU, take)?;
            }
            // What the monitor holds back is its own affair.
            unix::Held::release_all();
            Ok(())
        });
    }
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
