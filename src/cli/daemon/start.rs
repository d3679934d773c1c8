//! `ig daemon start`: returns once the daemon answers.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use crate::autostart;
use crate::cli::Outcome;
use crate::error::{Error, Result};
use crate::paths;

/// The words by which `serve` tells its starter how it went, each with one value.
pub(super) const READY: &str = "ready";
pub(super) const ALREADY: &str = "already";
pub(super) const FAILED: &str = "failed";

/// Start the daemon; it goes on alone, and one is enough for all your projects
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Stay in this terminal, and end with it
    #[arg(long)]
    foreground: bool,
}

/// How a start went.
pub(super) enum Started {
    Now(u32),
    Before(u32),
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        if self.foreground {
            return Err(foreground()?);
        }
        match start()? {
            Started::Now(pid) => super::print(format_args!("the daemon is running (pid {pid})")),
            Started::Before(pid) => super::print(already(pid)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn already(pid: u32) -> String {
    format!("the daemon is already running (pid {pid})")
}

/// Becomes the daemon; only what stopped that comes back.
fn foreground() -> Result<Error> {
    let cause = serve()?.exec();
    Ok(Error::new(format!("cannot run `ig daemon serve`: {cause}")))
}

/// This program as the daemon: nothing of our environment but what it needs.
fn serve() -> Result<Command> {
    let program = std::env::current_exe()
        .map_err(|e| Error::new(format!("cannot tell where `ig` is: {e}")))?;
    let mut command = Command::new(program);
    command.args(["daemon", "serve"]);
    Ok(apart(command))
}

fn apart(mut command: Command) -> Command {
    command.env_clear().envs(autostart::kept()).current_dir("/");
    command
}

/// The same out of the scope that was made for a unit with limits, if we are in one: the daemon is
/// nobody's, neither to be stopped with that unit nor to use what is its.
fn out_of_scope(command: &Command) -> Option<Command> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")?.rsplit('/').next())?;
    own.strip_suffix(".scope").filter(|name| name.starts_with("ig-"))?;
    let whose = if rustix::process::geteuid().is_root() { "--system" } else { "--user" };
    let mut outside = Command::new("systemd-run");
    outside.args([whose, "--scope", "--quiet", "--collect"]);
    outside.arg(command.get_program()).args(command.get_args());
    Some(apart(outside))
}

/// Starts a detached daemon and waits for its word.
pub(super) fn start() -> Result<Started> {
    let mut inside = serve()?;
    inside.arg("--detached");
    if let Some(Ok(started)) = out_of_scope(&inside).map(begin) {
        return Ok(started);
    }
    begin(inside)
}

fn begin(mut command: Command) -> Result<Started> {
    let failed = |e: std::io::Error| Error::new(format!("cannot start the daemon: {e}"));
    let daemon = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut word = String::new();
    if let Some(stdout) = daemon.map_err(failed)?.stdout.take() {
        BufReader::new(stdout).read_line(&mut word).map_err(failed)?;
    }
    understand(word.trim_end())
}

fn understand(said: &str) -> Result<Started> {
    let (word, value) = said.split_once(' ').unwrap_or((said, ""));
    match (word, value.parse::<u32>()) {
        (READY, Ok(pid)) => Ok(Started::Now(pid)),
        (ALREADY, Ok(pid)) => Ok(Started::Before(pid)),
        (FAILED, _) => {
            let text: String = serde_json::from_str(value).unwrap_or_default();
            Err(Error::new(format!("cannot start the daemon: {text}")))
        }
        _ => Err(Error::new("the daemon ended before it answered")
            .at(format!("its log: {}", paths::daemon_log().display()))),
    }
}
