//! The monitor: a copy of the runner that leads the session on the command's terminal and is the
//! command's parent.
//!
//! A command that led the session itself would be an orphaned process group, which ignores Ctrl-Z.
//! With a parent in its session it can be stopped; the monitor reports that, and the runner stops
//! as its own shell expects.
//!
//! Each looks after the other. When the runner is killed, the monitor brings back the user's terminal
//! and takes the runner's place as the [`Keeper`] of what the command writes: that goes on. When the
//! monitor is killed, the kernel hangs up the command, and the runner goes on to keep what that still
//! writes.
//!
//! What the command leaves behind on its terminal keeps a session to be in: the monitor stays until the
//! last of it has let go of the terminal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::termios::{isatty, tcgetpgrp, tcsetpgrp};
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU,
    SIGUSR1, SIGUSR2,
};

use super::fd_io::wait_for;
use super::keeper::{Heritage, Keeper, Watch, leave_the_caller};
use super::settle::End;
use super::spawn::Source;
use super::terminal::Backup;
use super::unix::{self, Held};
use super::{signals, spawn};
use crate::record::index::Stream;

/// Told by the runner: the command goes on in the foreground of its terminal, or in the background.
const GO_ON: [Signal; 2] = [Signal::USR1, Signal::USR2];

/// Told by the runner: nobody reads the command's output any more, and it is to hear of that.
const LET_GO: Signal = Signal::ALARM;

/// What the monitor answers to.
const HEARD: [i32; 6] = [SIGCHLD, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGHUP];

/// What is meant for others in its session.
const UNHEARD: [i32; 6] = [SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE];

/// The terminal that is made ready for the command.
pub(super) struct Stage {
    pub(super) master: OwnedFd,
    pub(super) slave: OwnedFd,
    /// Where stderr goes when not to the terminal, and where that is read.
    pub(super) stderr: Option<(OwnedFd, OwnedFd)>,
    /// Whether the command may read and set its terminal.
    pub(super) foreground: bool,
    /// The user's terminal, to be restored when the runner cannot.
    pub(super) backup: Option<Backup>,
}

impl Stage {
    /// The runner's side of it: where the output comes from, and the terminal's master.
    pub(super) fn open(self) -> io::Result<(Vec<Source>, OwnedFd)> {
        let mut sources = vec![Source { fd: self.master.try_clone()?, stream: Stream::Output }];
        if let Some((reader, _)) = self.stderr {
            sources.push(Source { fd: reader, stream: Stream::Stderr });
        }
        sources.iter().try_for_each(|source| spawn::non_blocking(&source.fd))?;
        Ok((sources, self.master))
    }
}

/// The runner's side.
pub(super) struct Monitor {
    pid: Pid,
    reports: OwnedFd,
    /// It is not waited for: the command has left something behind.
    pub(super) stays: bool,
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

/// Starts `command` on the stage. Returns the monitor, the command's pid and the stage.
pub(super) fn start(
    command: Command,
    stage: Stage,
    heritage: &Heritage,
) -> io::Result<(Monitor, u32, Stage)> {
    let runner = rustix::process::getpid();
    let pipe = io::pipe()?;
    let (pid, (_, stage, (reports, _))) =
        unix::copy((command, stage, pipe), |(command, stage, (_, writer))| {
            lead(command, stage, &writer.into(), runner, heritage)
        })?;
    let monitor = Monitor { pid, reports: reports.into(), stays: false };
    match monitor.read() {
        Some(Report::Started(command)) => Ok((monitor, command.unsigned_abs(), stage)),
        Some(Report::Refused(0)) => Err(io::ErrorKind::InvalidInput.into()),
        Some(Report::Refused(error)) => Err(io::Error::from_raw_os_error(error)),
        _ => Err(io::ErrorKind::Interrupted.into()),
    }
}

impl Monitor {
    /// Its pid, and that of the session that it leads.
    pub(super) fn pid(&self) -> u32 {
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

    /// Lets the command hear that nobody reads it: we hold its terminal no more, and nobody else must.
    pub(super) fn let_go(&self) {
        let _ = rustix::process::kill_process(self.pid, LET_GO);
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
        if self.stays {
            return;
        }
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
fn lead(
    mut command: Command,
    mut stage: Stage,
    runner: &OwnedFd,
    runner_pid: Pid,
    heritage: &Heritage,
) -> i32 {
    signals::forget();
    let heard = Held::hold(&HEARD, &UNHEARD);
    let foreground = stage.foreground;
    let backup = stage.backup.take();
    hear_of_the_runners_end();
    let sources = take(&stage).and_then(|()| hold(stage));
    let started = sources.and_then(|sources| Ok((spawn(&mut command, foreground)?, sources)));
    match started {
        Ok((pid, sources)) => {
            tell(runner, &Report::Started(pid.as_raw_pid()));
            drop(command);
            let place = heritage.hold();
            let lead = Lead {
                pid,
                runner,
                runner_pid,
                backup,
                stopped: false,
                awaited: false,
                sources,
                place,
                heritage,
            };
            lead.until_the_end(&heard);
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
    let stderr = stage.stderr.as_ref().map(|(_, writer)| writer);
    rustix::stdio::dup2_stderr(stderr.unwrap_or(&stage.slave))?;
    Ok(())
}

/// Holds on to where the output comes from, for when the runner cannot.
#[cfg(target_os = "linux")]
fn hold(stage: Stage) -> io::Result<Vec<Source>> {
    stage.open().map(|(sources, _)| sources)
}

/// Where nothing else tells of the end of the runner, that the terminal is hung up does.
#[cfg(not(target_os = "linux"))]
fn hold(_stage: Stage) -> io::Result<Vec<Source>> {
    Ok(Vec::new())
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
    /// Where its output comes from.
    sources: Vec<Source>,
    /// The record's folder.
    place: Option<OwnedFd>,
    heritage: &'a Heritage,
}

impl Lead<'_> {
    fn until_the_end(mut self, heard: &Held) {
        loop {
            let news = if self.is_alone() { SIGTERM } else { heard.next() };
            match news {
                SIGCHLD => {
                    if let Some(end) = self.has_ended() {
                        return self.stay(end);
                    }
                }
                SIGUSR1 => self.go_on(true),
                SIGUSR2 => self.go_on(false),
                SIGALRM => self.sources.clear(),
                // SIGTERM, SIGHUP: it may be the runner's death.
                _ if self.is_alone() => {
                    let watch = Watch::Child(self.pid);
                    return self.take_over(watch);
                }
                SIGHUP => self.hang_up(),
                _ => {}
            }
        }
    }

    /// The runner is gone.
    fn is_alone(&self) -> bool {
        rustix::process::getppid() != Some(self.runner_pid)
    }

    /// The command has ended. What it left behind has its session for as long as it has its terminal.
    fn stay(self, end: End) {
        super::to_nowhere();
        let Some(terminal) = self.sources.first() else { return };
        let mut fds = [
            PollFd::new(&terminal.fd, PollFlags::empty()),
            // Whoever reads that is the runner.
            PollFd::new(self.runner, PollFlags::empty()),
        ];
        wait_for(&mut fds, None);
        if fds[1].revents().contains(PollFlags::ERR) {
            self.take_over(Watch::Ended(end));
        }
    }

    /// The runner is gone: the user has the terminal back, and the command has us.
    fn take_over(mut self, watch: Watch) {
        if let Some(backup) = self.backup.take() {
            backup.restore();
        }
        let is_over = matches!(watch, Watch::Ended(_));
        if self.sources.is_empty() && !is_over {
            self.hang_up_now();
        }
        let kept = self.sources.iter().map(|source| source.fd.as_fd());
        let kept: Vec<BorrowedFd<'_>> = kept.chain(self.place.as_ref().map(AsFd::as_fd)).collect();
        leave_the_caller(&kept);
        let sources = std::mem::take(&mut self.sources);
        let keeper = Keeper::new(self.place.take(), self.heritage, sources, watch);
        if is_over && keeper.is_kept_by_another() {
            return keeper.wait_until_left();
        }
        keeper.keep();
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

    /// Nobody holds the other end any more: the runner let go of it.
    fn hang_up(&self) {
        if !isatty(rustix::stdio::stdin()) {
            self.hang_up_now();
        }
    }

    fn hang_up_now(&self) {
        let _ = rustix::process::kill_process_group(self.pid, Signal::HUP);
        let _ = rustix::process::kill_process_group(self.pid, Signal::CONT);
    }

    /// Reports what happened to the command. Returns how it ended, if it has.
    fn has_ended(&mut self) -> Option<End> {
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
                let status = ExitStatus::from_raw(status.as_raw());
                return Some(End::of(status.code(), status.signal()));
            }
            (self.stopped, self.awaited) = (true, false);
        }
        None
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

/// Takes the session's terminal from the command, which has ended: with the leader of a session the
/// kernel hangs up whoever has that.
pub(super) fn take_terminal() {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    if let Ok(terminal) = rustix::fs::open(c"/dev/tty", flags, rustix::fs::Mode::empty()) {
        let _ = tcsetpgrp(&terminal, rustix::process::getpgrp());
    }
}

fn give_terminal_to(group: Pid) {
    let _ = tcsetpgrp(rustix::stdio::stdin(), group);
}
