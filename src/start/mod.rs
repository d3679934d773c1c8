//! Starting units in the background: everything that is decided before a runner takes over.
//!
//! ```text
//! name      a name that no live unit of the project has, kept free while the unit starts
//! kind      which kinds can be started
//! limit     what a unit may use, and by which means the system holds it to that
//! ```
//!
//! The runner only obeys: what cannot be right is refused here, where there is room for words.

mod cgroup;
pub mod kind;
pub mod limit;
pub mod name;
mod scope;

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::autostart;
use crate::error::{Error, Result, exit};
use crate::neutral;
use crate::run::Plan;
use crate::wire::unit::{Kind, Terms, Unit};
use limit::{Limit, Means};
use name::Names;

/// A unit to be started.
#[derive(Debug, Clone)]
pub struct Order {
    /// The name people use; none for one of its own.
    pub name: Option<String>,
    /// The command: words, or one string for the shell.
    pub words: Vec<OsString>,
    /// What sort of unit it becomes.
    pub kind: Kind,
    /// It gets a terminal.
    pub pty: bool,
    /// Its output goes to the daemon's subscribers too.
    pub stream: bool,
    /// The daemon is told.
    pub register: bool,
    /// What was asked for beside the command.
    pub terms: Terms,
    /// What it may use.
    pub limit: Limit,
}

impl Order {
    /// Starts it, unless a live unit of the project has its name.
    pub fn start(&self) -> Result<Unit> {
        self.start_among(&Names::lock())
    }

    /// The same for a caller that holds the names already.
    pub fn start_among(&self, names: &Names) -> Result<Unit> {
        let plan = Plan::new(self.words.clone())?;
        let name = match &self.name {
            Some(name) => names.free(name)?,
            None => names.unique(&plan.name),
        };
        let means = self.limit.prepare()?;
        let mut command = wrapped(&means.prefix(), &runner()?);
        if self.register && matches!(means, Means::Scope { .. }) {
            // Or the runner would start it, and it would be part of the unit.
            let _ = autostart::ensure();
        }
        command.args(["run", "--detach", "--kind", self.kind.word(), "--name", &name]);
        command.args(["--terms", &serde_json::to_string(&self.terms).unwrap_or_default()]);
        command.args(self.pty.then_some("--pty"));
        command.args(self.stream.then_some("--stream"));
        command.args((!self.register).then_some("--no-register"));
        command.args(means.options());
        command.arg("--").args(&self.words);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn();
        let child = child.map_err(|e| Error::new(format!("cannot start the runner: {e}")))?;
        let unit = hear(child, &plan).inspect_err(|_| means.undo())?;
        limit::tell(&unit);
        Ok(unit)
    }
}

fn wrapped(prefix: &[String], program: &Path) -> Command {
    let words = prefix.iter().map(OsStr::new).chain([program.as_os_str()]);
    let words: Vec<&OsStr> = words.collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

fn runner() -> Result<std::path::PathBuf> {
    autostart::find("ig-agent").ok_or_else(|| {
        Error::new("`ig-agent` is not installed")
            .next("install it beside `ig`")
            .code(exit::RUN_FAILED)
    })
}

/// The runner tells us its unit as one line, and why it could not on stderr.
fn hear(mut runner: Child, plan: &Plan) -> Result<Unit> {
    let mut line = String::new();
    if let Some(stdout) = runner.stdout.take() {
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    serde_json::from_str(&line).map_err(|_| {
        let code = runner.wait().ok().and_then(|status| status.code());
        let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::RUN_FAILED);
        Error::new(format!("`{}` did not start", neutral::line(&plan.command_line()))).code(code)
    })
}
