//! Starting the command: on a PTY of its own session, or on pipes.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcsetattr, tcsetwinsize};

use super::keeper::Heritage;
use super::monitor::{self, Monitor, Stage};
use super::plan::{Plan, is_script};
use super::terminal::{self, Backup};
use super::unix::Found;
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

impl Source {
    /// The same once more.
    pub(super) fn again(&self) -> Option<Self> {
        Some(Self { fd: self.fd.try_clone().ok()?, stream: self.stream })
    }
}

/// What a command is started with.
pub(super) struct Start<'a> {
    pub(super) plan: &'a Plan,
    pub(super) unit: &'a Unit,
    /// What our caller had set.
    pub(super) found: Found,
    pub(super) heritage: &'a Heritage,
}

/// A new terminal: master and slave.
pub(super) type Pty = (OwnedFd, OwnedFd);

/// Who waits for the command.
enum Parent {
    Us(std::process::Child),
    Monitor(Monitor),
}

impl Child {
    /// The monitor has to stay for what the command left behind.
    pub(super) fn leave_monitor(&mut self) {
        if let Parent::Monitor(monitor) = &mut self.parent {
            monitor.stays = true;
        }
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

    /// Whether `pid` is who waits for the command, or the command.
    pub(super) fn is(&self, pid: u32) -> bool {
        self.pid == pid || self.monitor().is_some_and(|monitor| monitor.pid() == pid)
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

impl Start<'_> {
    /// Starts the command as the unit's own process, on `pty` or on pipes.
    pub(super) fn spawn(&self, pty: Option<Pty>) -> Result<Child> {
        let program = &self.plan.argv[0];
        let on_pty = pty.is_some();
        let child = match self.start(Command::new(program), pty) {
            Err(cause) if names_no_interpreter(program, &cause) => {
                let mut shell = Command::new("/bin/sh");
                shell.arg(program);
                let pty = if on_pty { open_pty().map(Some) } else { Ok(None) };
                pty.and_then(|pty| self.start(shell, pty))
            }
            started => started,
        };
        child.map_err(|cause| {
            let error = refused(program, &cause);
            if self.plan.inline.is_some() { wrong_shell(program, &error) } else { error }
        })
    }

    /// Starts `command` with the arguments of the plan's.
    fn start(&self, mut command: Command, pty: Option<Pty>) -> io::Result<Child> {
        command.args(&self.plan.argv[1..]);
        introduce(&mut command, self.unit, std::process::id());
        self.found.pass_on(&mut command);
        match pty {
            Some(pty) => self.on_terminal(command, pty),
            None => self.on_pipes(command),
        }
    }

    /// Becomes the command, which has all that it would have as a child of ours.
    pub(super) fn become_it(&self) -> io::Error {
        let mut command = Command::new(&self.plan.argv[0]);
        command.args(&self.plan.argv[1..]);
        // Who started us is its parent: a script knows by that that it needs no runner any more.
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_pid().unsigned_abs());
        introduce(&mut command, self.unit, parent);
        self.found.pass_on(&mut command);
        command.exec()
    }

    fn on_pipes(&self, mut command: Command) -> io::Result<Child> {
        let plan = self.plan;
        if plan.detached {
            // A language server on stdio ends with its input: that stays open for as long as it lives.
            let open = plan.kind == Kind::Lsp;
            command.stdin(if open { Stdio::piped() } else { Stdio::null() }).process_group(0);
            show_at_once(&mut command);
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

    fn on_terminal(&self, command: Command, (master, slave): Pty) -> io::Result<Child> {
        // Where nobody watches, nobody could want stderr elsewhere.
        let apart = !self.plan.detached && !rustix::termios::isatty(rustix::stdio::stderr());
        let pipe = if apart { Some(io::pipe()?) } else { None };
        let stderr = pipe.map(|(reader, writer)| (reader.into(), writer.into()));
        let foreground = !terminal::in_background();
        let stage = Stage { master, slave, stderr, foreground, backup: Backup::take() };
        let (monitor, pid, stage) = monitor::start(command, stage, self.heritage)?;
        let (sources, master) = stage.open()?;
        Ok(Child { pid, parent: Parent::Monitor(monitor), sources, pty: Some(master) })
    }
}

/// Python writes to a pipe when it has 8 KiB: whoever looks at a background unit would see nothing for
/// long, and what is not written when it is stopped is lost.
fn show_at_once(command: &mut Command) {
    const NAME: &str = "PYTHONUNBUFFERED";
    if std::env::var_os(NAME).is_none() {
        command.env(NAME, "1");
    }
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
fn introduce(command: &mut Command, unit: &Unit, parent: u32) {
    command
        .env("IDLERGEAR_RUN_ID", unit.id.as_str())
        .env("IDLERGEAR_AGENT_ID", unit.id.as_str())
        .env("IDLERGEAR_RUNNER_PID", parent.to_string());
    if let Some(project) = &unit.project {
        command.env("IDLERGEAR_PROJECT", project);
    }
}

/// A new PTY with the settings and the size of the user's own terminal.
pub(super) fn open_pty() -> io::Result<Pty> {
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

pub(super) fn non_blocking(fd: &OwnedFd) -> io::Result<()> {
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
