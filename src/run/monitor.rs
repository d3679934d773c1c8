//! The monitor: a copy of the runner that leads the session on the command's terminal and is the
//! command's parent.
//!
//! A command that led the session itself would be an orphaned process group, which ignores Ctrl-Z.
//! With a parent in its session it can be stopped; the monitor reports that, and the runner stops
//! as its own shell expects.
//!
//! Each looks after the other. When the runner is killed, the monitor brings back the user's terminal
//! and hangs up the command. When the monitor is killed, the kernel hangs up the command, and the
//! runner goes on to keep what that still writes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, WaitOptions};
use rustix::termios::{isatty, tcgetpgrp, tcsetpgrp};
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH,
};

use super::terminal::Backup;
use super::unix::{self, Held};

/// Told by the runner: the command goes on in the foreground of its terminal, or in the background.
const GO_ON: [Signal; 2] = [Signal::USR1, Signal::USR2];

/// What the monitor answers to.
const HEARD: [i32; 5] = [SIGCHLD, SIGUSR1, SIGUSR2, SIGTERM, SIGHUP];

/// What is meant for others in its session.
const UNHEARD: [i32; 7] = [SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGALRM];

/// What the runner catches, and the command must not inherit in any way.
const CAUGHT: [i32; 10] =
    [SIGCHLD, SIGWINCH, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT];

/// The terminal that is made ready for the command.
pub(super) struct Stage {
    pub(super) master: OwnedFd,
    pub(super) slave: OwnedFd,
    /// Where stderr goes when not to the terminal.
    pub(super) stderr: Option<OwnedFd>,
    /// Whether the command may read and set its terminal.
    pub(super) foreground: bool,
    /// Whether the command must end when the runner is gone.
    pub(super) tree: bool,
    /// The user's terminal, to be restored when the runner cannot.
    pub(super) backup: Option<Backup>,
}

/// The runner's side.
pub(super) struct Monitor {
    pid: Pid,
    reports: OwnedFd,
}

/// What became of the command.
pub(super) enum Change {
    /// By this signal.
    Stopped(i32),
    /// We let it go on, and now it does.
    GoesOn,
    Ended(ExitStatus),
    /// The monitor is gone; nobody can tell how the command ends.
    Lost,
}

/// What the monitor tells: eight bytes at a time, which a pipe keeps together.
enum Report {
    Started(i32),
    Refused(i32),
    Changed(i32),
    GoesOn,
}

/// Starts `command` on the stage. Returns the monitor, the command's pid and the terminal's master.
pub(super) fn start(command: Command, stage: Stage) -> io::Result<(Monitor, u32, OwnedFd)> {
    let runner = rustix::process::getpid();
    let pipe = io::pipe()?;
    let (pid, (_, stage, (reports, _))) =
        unix::copy((command, stage, pipe), |(command, stage, (_, writer))| {
            lead(command, stage, &writer.into(), runner)
        })?;
    let monitor = Monitor { pid, reports: reports.into() };
    match monitor.read() {
        Some(Report::Started(command)) => Ok((monitor, command.unsigned_abs(), stage.master)),
        Some(Report::Refused(0)) => Err(io::ErrorKind::InvalidInput.into()),
        Some(Report::Refused(error)) => Err(io::Error::from_raw_os_error(error)),
        _ => Err(io::ErrorKind::Interrupted.into()),
    }
}

impl Monitor {
    /// The session that it leads.
    pub(super) fn session(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Readable when there is a [`Change`].
    pub(super) fn reports(&self) -> BorrowedFd<'_> {
        self.reports.as_fd()
    }

    /// The next change. Waits for it.
    pub(super) fn change(&self) -> Change {
        match self.read() {
            Some(Report::Changed(status)) => {
                let status = ExitStatus::from_raw(status);
                status.stopped_signal().map_or(Change::Ended(status), Change::Stopped)
            }
            Some(Report::GoesOn) => Change::GoesOn,
            _ => Change::Lost,
        }
    }

    /// Lets a stopped command go on; [`Change::GoesOn`] tells when that is done.
    pub(super) fn go_on(&self, background: bool) {
        let _ = rustix::process::kill_process(self.pid, GO_ON[usize::from(background)]);
    }

    fn read(&self) -> Option<Report> {
        let mut bytes = [0; 8];
        let count = loop {
            match rustix::io::read(&self.reports, &mut bytes) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other.ok()?,
            }
        };
        let [kind, _, _, _, value @ ..] = bytes;
        let value = i32::from_ne_bytes(value);
        (count == bytes.len()).then_some(match kind {
            0 => Report::Started(value),
            1 => Report::Refused(value),
            2 => Report::Changed(value),
            _ => Report::GoesOn,
        })
    }
}

impl Drop for Monitor {
    /// What the command took of the processor is counted as ours from here on, as `time` expects.
    fn drop(&mut self) {
        let _ = rustix::process::waitpid(Some(self.pid), WaitOptions::empty());
    }
}

fn tell(runner: &OwnedFd, report: &Report) {
    let (kind, value) = match report {
        Report::Started(value) => (0, value),
        Report::Refused(value) => (1, value),
        Report::Changed(value) => (2, value),
        Report::GoesOn => (3, &0),
    };
    let mut bytes = [kind, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..].copy_from_slice(&value.to_ne_bytes());
    let _ = rustix::io::write(runner, &bytes);
}

/// The monitor's whole life, in the copy. Returns the copy's exit code.
fn lead(mut command: Command, mut stage: Stage, runner: &OwnedFd, runner_pid: Pid) -> i32 {
    CAUGHT.into_iter().filter(|signal| !unix::is_ignored(*signal)).for_each(unix::reset);
    let heard = Held::hold(&HEARD, &UNHEARD);
    let foreground = stage.foreground;
    let backup = stage.backup.take();
    if stage.tree {
        hear_of_the_runners_end();
    }
    let taken = take(&stage);
    // The master is closed here: that it is closed is how the end of the runner is heard of.
    drop(stage);
    let started = taken.and_then(|()| spawn(&mut command, foreground));
    match started {
        Ok(pid) => {
            tell(runner, &Report::Started(pid.as_raw_pid()));
            drop(command);
            Lead { pid, runner, runner_pid, backup, stopped: false, awaited: false }
                .until_the_end(&heard);
            0
        }
        Err(error) => {
            tell(runner, &Report::Refused(error.raw_os_error().unwrap_or_default()));
            1
        }
    }
}

/// Makes the terminal this process's own: its session's, and all its streams.
fn take(stage: &Stage) -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(&stage.slave)?;
    rustix::stdio::dup2_stdin(&stage.slave)?;
    rustix::stdio::dup2_stdout(&stage.slave)?;
    rustix::stdio::dup2_stderr(stage.stderr.as_ref().unwrap_or(&stage.slave))?;
    Ok(())
}

fn spawn(command: &mut Command, foreground: bool) -> io::Result<Pid> {
    command.env("IDLERGEAR_RUNNER_PID", std::process::id().to_string());
    unix::in_own_group(command, foreground);
    let pid = command.spawn()?.id();
    crate::os::pid(pid).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(target_os = "linux")]
fn hear_of_the_runners_end() {
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
}

/// Only Linux tells; elsewhere the terminal's hangup has to do.
#[cfg(not(target_os = "linux"))]
fn hear_of_the_runners_end() {}

struct Lead<'a> {
    /// The command.
    pid: Pid,
    runner: &'a OwnedFd,
    runner_pid: Pid,
    backup: Option<Backup>,
    /// The command was stopped when we last heard of it.
    stopped: bool,
    /// We let it go on, so that it does is no news.
    awaited: bool,
}

impl Lead<'_> {
    fn until_the_end(mut self, heard: &Held) {
        loop {
            match heard.next() {
                SIGCHLD if self.has_ended() => return,
                SIGCHLD => {}
                SIGUSR1 => self.go_on(true),
                SIGUSR2 => self.go_on(false),
                SIGHUP => self.hang_up(),
                // SIGTERM: it may be the runner's death.
                _ if rustix::process::getppid() != Some(self.runner_pid) => {
                    let _ = rustix::process::kill_process(self.pid, Signal::TERM);
                }
                _ => {}
            }
        }
    }

    fn go_on(&mut self, foreground: bool) {
        let nobody = rustix::process::getpgrp();
        if !foreground {
            give_terminal_to(nobody);
        } else if self.stopped || tcgetpgrp(rustix::stdio::stdin()) == Ok(nobody) {
            give_terminal_to(self.pid);
        }
        self.awaited = self.stopped;
        let _ = rustix::process::kill_process_group(self.pid, Signal::CONT);
        tell(self.runner, &Report::GoesOn);
    }

    /// Nobody holds the other end any more: the runner let go of it, or was killed and could not
    /// bring back the user's terminal.
    fn hang_up(&self) {
        if isatty(rustix::stdio::stdin()) {
            return;
        }
        if let Some(backup) = &self.backup {
            backup.restore();
        }
        let _ = rustix::process::kill_process_group(self.pid, Signal::HUP);
        let _ = rustix::process::kill_process_group(self.pid, Signal::CONT);
    }

    /// Reports what happened to the command.
    fn has_ended(&mut self) -> bool {
        let options = WaitOptions::UNTRACED | WaitOptions::CONTINUED | WaitOptions::NOHANG;
        while let Ok(Some((_, status))) = rustix::process::waitpid(Some(self.pid), options) {
            if status.continued() {
                self.continued();
                continue;
            }
            if !status.stopped() {
                // What the command leaves in its group must not be hung up with this session.
                give_terminal_to(rustix::process::getpgrp());
            }
            tell(self.runner, &Report::Changed(status.as_raw()));
            if !status.stopped() {
                self.wake_runner();
                return true;
            }
            (self.stopped, self.awaited) = (true, false);
        }
        false
    }

    /// Somebody else let the command go on: the runner has to, too.
    fn continued(&mut self) {
        if !std::mem::take(&mut self.awaited) {
            self.wake_runner();
        }
        self.stopped = false;
    }

    /// The runner stopped with the command, and does not go on by itself.
    fn wake_runner(&self) {
        if self.stopped {
            let _ = rustix::process::kill_process(self.runner_pid, Signal::CONT);
        }
    }
}

fn give_terminal_to(group: Pid) {
    let _ = tcsetpgrp(rustix::stdio::stdin(), group);
}
