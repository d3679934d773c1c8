//! Starting the daemon on demand, from any of the binaries.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::{paths, socket, stop};

/// Variables that reach the daemon; nothing else of its first caller does.
const KEPT: [&str; 14] = [
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "IDLERGEAR_SOCKET",
    "DBUS_SESSION_BUS_ADDRESS",
    "IDLERGEAR_ALERTS_DESKTOP",
    "IDLERGEAR_ALERTS_BELL",
];

/// The part of this process's environment that the daemon may have.
pub fn kept() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    KEPT.into_iter().filter_map(|name| env::var_os(name).map(|value| (name, value)))
}

/// Makes sure that a daemon is coming, without waiting for it. Returns the starter, to be reaped by
/// callers that live on; none when a daemon is there, must not be started, or cannot be.
pub fn nudge() -> Option<Child> {
    if paths::no_autostart() || socket::is_served() {
        return None;
    }
    start().ok()
}

/// Makes sure that a daemon answers; waits up to five seconds for one that had to be started.
pub fn ensure() -> Result<()> {
    let absent = match socket::connect() {
        Ok(_) => return Ok(()),
        Err(error) if paths::no_autostart() => return Err(error),
        Err(error) => error,
    };
    let mut starter = start()?;
    let _ = starter.wait();
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if socket::connect().is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(absent.at(format!("its log: {}", paths::daemon_log().display())))
}

/// Marks the process that starts a daemon, until that answers: who stops the daemon waits for it.
const STARTER: &str = "IDLERGEAR_STARTS_DAEMON_IN";

/// Whether another process is starting this user's daemon at the moment.
#[cfg(feature = "full")]
pub fn is_starting() -> bool {
    !crate::os::started_with(&format!("{STARTER}={}", paths::state_dir().display()), 0).is_empty()
}

/// Runs `ig daemon start`, which returns once the daemon is on its own.
fn start() -> Result<Child> {
    let mut command = Command::new(program()?);
    command.args(["daemon", "start"]).env_clear().envs(kept()).env(STARTER, paths::state_dir());
    stop::as_helper(&mut command)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| Error::new(format!("cannot start the daemon: {e}")))
}

/// `ig`: beside this very program, else on PATH.
fn program() -> Result<PathBuf> {
    find("ig").ok_or_else(|| {
        Error::new("cannot start the daemon: `ig` is not installed")
            .next("install it beside `ig-agent`")
    })
}

/// `ig VERB SUBJECT`, silent, to be started as a helper; none where `ig` is not installed.
pub fn helper(verb: &str, subject: &Path) -> Option<Command> {
    let mut command = Command::new(find("ig")?);
    stop::as_helper(&mut command).arg(verb).arg(subject);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(command)
}

/// One of our programs by name: beside this one, else on PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let beside = env::current_exe().ok().map(|exe| exe.with_file_name(name));
    beside.filter(|path| path.is_file()).or_else(|| {
        let path = env::var_os("PATH")?;
        let dirs = env::split_paths(&path).filter(|dir| dir.is_absolute());
        dirs.map(|dir| dir.join(name)).find(|path| path.is_file())
    })
}
