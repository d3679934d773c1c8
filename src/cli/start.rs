//! `ig start`, `ig run start`: a command in the background, under a runner of its own.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use super::Outcome;
use crate::autostart;
use crate::error::{Error, exit};
use crate::neutral;
use crate::wire::unit::Unit;

/// Start a command in the background
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name people use
    name: Option<String>,
    /// The command: words, or one string for the shell
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
    #[command(flatten)]
    options: Options,
}

/// Start a command in the background
#[derive(Debug, clap::Args)]
pub(crate) struct RunStart {
    /// The command: one string for the shell, or words
    #[arg(required = true, value_name = "CMD")]
    command: Vec<String>,
    /// The name people use
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Send its output to the daemon's subscribers too
    #[arg(long)]
    stream: bool,
    /// Keep the record, do not tell the daemon
    #[arg(long)]
    no_register: bool,
    /// The unit as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        self.options.start(self.name.as_deref(), &self.command)
    }
}

impl RunStart {
    pub(crate) fn run(self) -> Outcome {
        self.options.start(self.name.as_deref(), &self.command)
    }
}

impl Options {
    fn start(&self, name: Option<&str>, words: &[String]) -> Outcome {
        let unit = self.spawn(name, words)?;
        let json = self.json.then(|| serde_json::to_string_pretty(&unit).unwrap_or_default());
        println!("{}", json.unwrap_or_else(|| unit.id.to_string()));
        let name = neutral::line(&unit.name);
        eprintln!("started {name}; read it with `ig logs {name}`, end it with `ig stop {name}`");
        Ok(ExitCode::SUCCESS)
    }

    /// The runner tells us its unit as one line, and why it could not on stderr.
    fn spawn(&self, name: Option<&str>, words: &[String]) -> Result<Unit, Error> {
        let runner = autostart::find("ig-agent").ok_or_else(|| {
            Error::new("`ig-agent` is not installed")
                .next("install it beside `ig`")
                .code(exit::RUN_FAILED)
        })?;
        let mut command = Command::new(runner);
        command.args(["run", "--detach"]);
        if let Some(name) = name {
            command.args(["--name", name]);
        }
        command.args(self.stream.then_some("--stream"));
        command.args(self.no_register.then_some("--no-register"));
        command.arg("--").args(words).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child =
            command.spawn().map_err(|e| Error::new(format!("cannot start the runner: {e}")))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        serde_json::from_str(&line).map_err(|_| {
            let code = child.wait().ok().and_then(|status| status.code());
            let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::RUN_FAILED);
            Error::new(format!("`{}` did not start", neutral::line(&words.join(" ")))).code(code)
        })
    }
}
