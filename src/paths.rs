//! Every folder, file and environment variable that ig knows, in one place.
//!
//! Nothing here creates anything; [`crate::secure_fs`] does, with the right modes.

use std::env;
use std::path::{Path, PathBuf};

use crate::hash;
use crate::secure_fs::accepted;

/// The folder that makes a folder a project.
pub const PROJECT_DIR: &str = ".idlergear";

/// A variable that is set and not empty.
pub fn var(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whoever runs this process, by name; by number where nothing tells the name, as in a container.
pub fn user() -> String {
    let name = var("USER").or_else(|| var("LOGNAME"));
    name.unwrap_or_else(|| format!("uid {}", rustix::process::geteuid().as_raw()))
}

/// A switch: set, and neither empty nor `0`.
pub fn flag(name: &str) -> bool {
    var(name).is_some_and(|value| value != "0")
}

/// `IDLERGEAR_NO_DAEMON`: never talk to the daemon.
pub fn no_daemon() -> bool {
    flag("IDLERGEAR_NO_DAEMON")
}

/// `IDLERGEAR_NO_AUTOSTART`: never start the daemon.
pub fn no_autostart() -> bool {
    flag("IDLERGEAR_NO_AUTOSTART") || no_daemon()
}

/// `IDLERGEAR_RUNNER_PID`: set by the runner for its child. A script whose parent process it is runs
/// as that unit's own process and joins it; any other is a unit of its own inside it.
pub fn runner_pid() -> Option<u32> {
    var("IDLERGEAR_RUNNER_PID")?.parse().ok()
}

/// The agent session that owns what is started here, from the variables of ig and of the clients.
pub fn session() -> Option<String> {
    ["IDLERGEAR_SESSION", "CLAUDE_CODE_SESSION_ID", "CODEX_THREAD_ID", "GEMINI_SESSION_ID"]
        .iter()
        .find_map(|name| var(name))
}

/// The name of the AI client that started this process, if one did.
pub fn ai_client() -> Option<&'static str> {
    const MARKS: [(&str, &str); 8] = [
        ("CLAUDECODE", "Claude Code"),
        ("CLAUDE_CODE_SESSION_ID", "Claude Code"),
        ("CODEX_THREAD_ID", "Codex"),
        ("CODEX_SANDBOX", "Codex"),
        ("GEMINI_CLI", "Gemini CLI"),
        ("OPENCODE", "opencode"),
        ("CURSOR_AGENT", "Cursor"),
        ("AI_AGENT", "an AI agent"),
    ];
    MARKS.iter().find(|(name, _)| var(name).is_some()).map(|(_, client)| *client)
}

/// Bytes, as paths are.
fn absolute(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The user's home, when there is one.
pub fn home() -> Option<PathBuf> {
    absolute("HOME").filter(|home| home.is_dir() && home != Path::new("/"))
}

/// A folder for this user under the system's temp folder: the last resort when HOME is no help.
pub fn temp_dir() -> PathBuf {
    let uid = rustix::process::geteuid().as_raw();
    let temp = Some(env::temp_dir()).filter(|dir| dir.is_dir());
    temp.unwrap_or_else(|| "/tmp".into()).join(format!("idlergear-{uid}"))
}

/// `$XDG_STATE_HOME/idlergear`, else under HOME, else under the temp folder.
pub fn state_dir() -> PathBuf {
    absolute("XDG_STATE_HOME")
        .or_else(|| home().map(|home| home.join(".local/state")))
        .map_or_else(|| temp_dir().join("state"), |base| base.join("idlergear"))
}

/// `$XDG_CONFIG_HOME/idlergear`, else under HOME. None without either.
pub fn user_config_dir() -> Option<PathBuf> {
    absolute("XDG_CONFIG_HOME")
        .or_else(|| home().map(|home| home.join(".config")))
        .map(|base| base.join("idlergear"))
}

/// Links to the folders of live units; how the daemon finds runs made while it was away.
pub fn live_dir() -> PathBuf {
    state_dir().join("live")
}

/// Claims on ports, one file each.
pub fn ports_dir() -> PathBuf {
    state_dir().join("ports")
}

/// One empty file per unit that has unread messages: what a script can test without a process.
pub fn inbox_dir() -> PathBuf {
    state_dir().join("inbox")
}

/// Messages that no daemon took yet, one file each.
pub fn outbox_dir() -> PathBuf {
    state_dir().join("outbox")
}

/// What `ig trust` granted; outside every repository.
pub fn trust_dir() -> PathBuf {
    state_dir().join("trust")
}

/// The daemon's SQLite file.
pub fn database() -> PathBuf {
    state_dir().join("state.db")
}

/// The lock that makes the daemon single; it records the daemon's pid and socket.
pub fn daemon_lock() -> PathBuf {
    state_dir().join("daemon.lock")
}

/// What a detached daemon says.
pub fn daemon_log() -> PathBuf {
    state_dir().join("daemon.log")
}

/// The socket: `IDLERGEAR_SOCKET`, else in the runtime folder, else in [`temp_dir`].
///
/// A runtime folder that is missing or another user's counts as unset. What takes its place is shared
/// by all HOMEs of a user, each with a daemon of its own: there the name tells whose it is.
pub fn socket() -> PathBuf {
    if let Some(path) = absolute("IDLERGEAR_SOCKET") {
        return path;
    }
    if let Some(dir) = absolute("XDG_RUNTIME_DIR").filter(|dir| is_ours(dir)) {
        return dir.join("idlergear/daemon.sock");
    }
    let whose = hash::sha256(state_dir().as_os_str().as_encoded_bytes());
    temp_dir().join(format!("daemon-{}.sock", &whose[..8]))
}

fn is_ours(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    dir.metadata().is_ok_and(|m| m.is_dir() && m.uid() == rustix::process::geteuid().as_raw())
}

/// The project that `from` lies in: `IDLERGEAR_PROJECT`, else the nearest ancestor that holds
/// `.idlergear/`. Never HOME and never `/`, so that one stray folder does not swallow everything. One
/// whose `.idlergear` is a link that nobody accepted is no project, nor is `from` in one around it.
pub fn project(from: &Path) -> Option<PathBuf> {
    nearest_project(from).filter(|root| accepted::counts(root))
}

/// The same, accepted or not.
pub fn nearest_project(from: &Path) -> Option<PathBuf> {
    if let Some(root) = absolute("IDLERGEAR_PROJECT") {
        return Some(root);
    }
    let home = home();
    from.ancestors()
        .filter(|dir| *dir != Path::new("/") && Some(*dir) != home.as_deref())
        .find(|dir| dir.join(PROJECT_DIR).is_dir())
        .map(Path::to_path_buf)
}

/// The project that the current folder lies in.
pub fn current_project() -> Option<PathBuf> {
    env::current_dir().ok().and_then(|dir| project(&dir))
}

/// The folder of all runs of `project`; without one, the user's own.
pub fn runs_dir(project: Option<&Path>) -> PathBuf {
    match project {
        Some(root) => root.join(PROJECT_DIR).join("runs"),
        None => state_dir().join("runs"),
    }
}

/// `path` as people want to read it: relative to the current folder when it lies below.
pub fn display(path: &Path) -> String {
    let here = env::current_dir().ok();
    match here.as_deref().and_then(|here| path.strip_prefix(here).ok()) {
        Some(short) if short.as_os_str().is_empty() => ".".to_owned(),
        Some(short) => short.display().to_string(),
        None => path.display().to_string(),
    }
}
