//! Starting the command: on a PTY of its own session, or on pipes.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::WaitOptions;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcsetattr, tcsetwinsize};

use super::monitor::{self, Monitor, Stage};
use super::plan::{Plan, is_script};
use super::terminal::{self, Backup};
use super::unix;
use crate::error::{Error, Result, exit};
use crate::record::index::Stream;
use crate::wire::unit::{Kind, Unit};
use crate::{neutral, quoting};

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

    /// Waits for orphans that came to us and ended: nobody else does. `helpers` have who waits for them.
    pub(super) fn bury_orphans(&self, helpers: &[std::process::Child]) {
        let ours = [self.pid].into_iter().chain(self.monitor().map(Monitor::session));
        let ours: Vec<u32> = ours.chain(helpers.iter().map(std::process::Child::id)).collect();
        let orphans = crate::os::own_children().into_iter().filter(|pid| !ours.contains(pid));
        for pid in orphans.filter_map(crate::os::pid) {
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    /// Who leads what the command's descendants may be found by: its group, and its session.
    pub(super) fn leaders(&self) -> Vec<u32> {
        std::iter::once(self.pid).chain(self.monitor().map(Monitor::session)).collect()
    }

    /// Whether the command's own group has anybody in it. On pipes it has none of its own.
    pub(super) fn group_lives(&self) -> bool {
        let group = crate::os::pid(self.pid).filter(|_| self.monitor().is_some());
        group.is_some_and(|group| rustix::process::test_kill_process_group(group).is_ok())
    }

    pub(super) fn streams(&self) -> Vec<Stream> {
        self.sources.iter().map(|source| source.stream).collect()
    }
}

/// Starts the command of `plan` as `unit`'s own process.
pub(super) fn spawn(plan: &Plan, unit: &Unit) -> Result<Child> {
    let program = &plan.argv[0];
    let child = match start(plan, unit, Command::new(program)) {
        Err(cause) if names_no_interpreter(program, &cause) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg(program);
            start(plan, unit, shell)
        }
        started => started,
    };
    child.map_err(|cause| {
        let error = refused(program, &cause);
        if plan.inline.is_some() { wrong_shell(program, &error) } else { error }
    })
}

/// Starts `command` with the arguments of `plan`'s.
fn start(plan: &Plan, unit: &Unit, mut command: Command) -> io::Result<Child> {
    command.args(&plan.argv[1..]);
    introduce(&mut command, unit);
    if plan.tree {
        unix::end_with_us(&mut command);
    }
    if on_pty(plan) { on_terminal(command, plan) } else { on_pipes(command, plan) }
}

/// Whether `program` is a script for `sh`: one without a first line that says whose it is. Shells,
/// `env` and `nohup` start these; it is in execvp(3), but the system call knows nothing of it.
fn names_no_interpreter(program: &OsStr, cause: &io::Error) -> bool {
    cause.raw_os_error() == Some(libc::ENOEXEC)
        && program.as_bytes().contains(&b'/')
        && is_script(Path::new(program))
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

fn on_pipes(mut command: Command, plan: &Plan) -> io::Result<Child> {
    if plan.detached {
        // A language server on stdio ends with its input: that stays open for as long as it lives.
        let open = plan.kind == Kind::Lsp;
        command.stdin(if open { Stdio::piped() } else { Stdio::null() }).process_group(0);
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

fn on_terminal(command: Command, plan: &Plan) -> io::Result<Child> {
    let (master, slave) = open_pty()?;
    // Where nobody watches, nobody could want stderr elsewhere.
    let apart = !plan.detached && !rustix::termios::isatty(rustix::stdio::stderr());
    let pipe = if apart { Some(io::pipe()?) } else { None };
    let (stderr, writer) = pipe.unzip();
    let foreground = !terminal::in_background();
    let backup = Backup::take();
    let stage = Stage {
        master,
        slave,
        stderr: writer.map(OwnedFd::from),
        foreground,
        tree: plan.tree,
        backup,
    };
    let (monitor, pid, master) = monitor::start(command, stage)?;
    let output = Source { fd: master.try_clone()?, stream: Stream::Output };
    let stderr = stderr.map(|pipe| Source { fd: pipe.into(), stream: Stream::Stderr });
    let sources: Vec<Source> = std::iter::once(output).chain(stderr).collect();
    sources.iter().try_for_each(|source| non_blocking(&source.fd))?;
    Ok(Child { pid, parent: Parent::Monitor(monitor), sources, pty: Some(master) })
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
    tcsetwinsize(&slave, size)?;
    Ok((master, slave))
}

fn non_blocking(fd: &OwnedFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd.as_fd())?;
    Ok(rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK)?)
}

/// The shell cannot be run that was to run a command given as one string: a setting is wrong, and the
/// command is not to blame.
fn wrong_shell(program: &OsStr, error: &Error) -> Error {
    let shell = neutral::line(&program.to_string_lossy());
    let cause = error.what().rsplit(": ").next().unwrap_or_default();
    Error::new(format!("cannot run the shell `{shell}`, which is to run the command: {cause}"))
        .next("another processes.execution.shell_path (ig config), or IDLERGEAR_SHELL")
        .code(error.exit_code())
}

/// The codes that every shell uses: 127 not found, 126 found but not to be executed.
fn refused(program: &OsStr, cause: &io::Error) -> Error {
    let path = Path::new(program);
    // Without a slash it is looked for on PATH, and not here.
    let is_path = program.as_bytes().contains(&b'/');
    let exists = is_path && path.exists();
    let (code, words) = match cause.kind() {
        ErrorKind::PermissionDenied if exists && path.is_dir() => {
            (exit::NOT_EXECUTABLE, "it is a folder".to_owned())
        }
        ErrorKind::NotFound if exists => {
            (exit::NOT_EXECUTABLE, "its interpreter is missing".to_owned())
        }
        ErrorKind::NotFound => (exit::NOT_FOUND, "command not found".to_owned()),
        ErrorKind::PermissionDenied => (exit::NOT_EXECUTABLE, "permission denied".to_owned()),
        _ if cause.raw_os_error() == Some(libc::ENOEXEC) => {
            (exit::NOT_EXECUTABLE, "it is no program for this machine".to_owned())
        }
        _ => (exit::RUN_FAILED, cause.to_string()),
    };
    let program = neutral::line(&program.to_string_lossy());
    let error = Error::new(format!("cannot run `{program}`: {words}")).code(code);
    let word = quoting::line(&[path.into()]);
    match cause.kind() {
        _ if !path.is_file() => error,
        ErrorKind::NotFound if !is_path && is_script(path) => {
            error.next(format!("./{word}, or bash {word}: a file of that name is here"))
        }
        _ if !is_path => error,
        ErrorKind::PermissionDenied => error.next(format!("chmod +x {word}, or bash {word}")),
        ErrorKind::NotFound => error.next(format!("bash {word}, or another first line")),
        _ => error,
    }
}
