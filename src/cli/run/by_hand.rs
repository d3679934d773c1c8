//! `ig run register`, `stream`, `complete`: the three steps of a run by hand, for commands that
//! cannot be wrapped.
//!
//! Between the steps no process of the run need be alive, so the one around the shell that
//! registered it (its terminal, or the agent that drives it) stands for it: when that is gone,
//! nobody can complete the run any more.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::Outcome;
use crate::error::{Error, Result};
use crate::os::{self, Identity};
use crate::record::output::Reader;
use crate::record::{Folder, register, scope};
use crate::run::{Plan, banner, kept, stream};
use crate::wire::unit::{Kind, Status, Unit};
use crate::{autostart, paths, time};

/// How it is marked in the record.
const MARK: &str = "by_hand";

/// Register a run that you start yourself; prints its id
#[derive(Debug, clap::Args)]
pub(crate) struct Register {
    /// The command: words, or one string for the shell
    #[arg(
        required = true,
        value_name = "CMD",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<OsString>,
    /// The name people use
    #[arg(long)]
    name: Option<String>,
    /// Keep the record, do not tell the daemon
    #[arg(long = "no-register")]
    untold: bool,
    /// The unit as JSON
    #[arg(long)]
    json: bool,
}

impl Register {
    pub(crate) fn run(self) -> Outcome {
        let plan = Plan::new(self.command)?.with_name(self.name);
        let mut unit = Unit::new(Kind::LocalBash, &plan.name);
        register::describe_caller(&mut unit);
        unit.command = plan.command_line();
        unit.argv.clone_from(&plan.argv);
        unit.script.path.clone_from(&plan.script);
        let script = plan.script_text();
        unit.script.sha256 = plan.sha256_of(script.as_deref());
        unit.metadata.insert(MARK.to_owned(), true.into());
        unit.runner = around();
        let (folder, warning) = Folder::create(&mut unit)?;
        crate::run::warn(warning.as_ref());
        if let Some(text) = script {
            kept::script(&folder, &unit.script.sha256, &text);
        }
        let _ = kept::ask_git(&folder, &unit.cwd);
        if !self.untold && !paths::no_daemon() {
            let _ = folder.link_live(&unit.id);
            let _ = autostart::nudge();
        }
        let json = self.json.then(|| serde_json::to_string_pretty(&unit).unwrap_or_default());
        println!("{}", json.unwrap_or_else(|| unit.id.to_string()));
        eprintln!("registered {} (sha256:{})", banner::token(&unit), unit.script.sha256);
        Ok(ExitCode::SUCCESS)
    }
}

/// The process around the shell that called us; the shell itself when nothing is known above it.
fn around() -> Option<Identity> {
    let shell = rustix::process::getppid()?.as_raw_pid().try_into().ok()?;
    let above = os::parent(shell).filter(|pid| *pid > 1);
    above.and_then(Identity::of).or_else(|| Identity::of(shell))
}

/// Copy stdin to stdout and keep it as the output of a run made with `register`
#[derive(Debug, clap::Args)]
pub(crate) struct Stream {
    /// Id or name
    id: String,
}

impl Stream {
    pub(crate) fn run(self) -> Outcome {
        let (mut unit, folder) = match registered(&self.id) {
            Ok(found) => found,
            Err(error) => return Ok(stream::pass_on(&error)),
        };
        unit.status = Status::Running;
        unit.logs.stdout = Some(folder.file("stdout.log"));
        unit.process = Identity::own();
        unit.pid = Some(std::process::id());
        crate::run::warn(save(&folder, &unit).err().as_ref());
        let mut logs = unit.logs;
        stream::keep(&folder, Reader::line_count(folder.path()), &mut logs);
        // Whoever completed it meanwhile has the last word.
        let mut unit = folder.load()?;
        if unit.ended_at.is_none() {
            (unit.process, unit.pid, unit.logs) = (None, None, logs);
            save(&folder, &unit)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Mark a run made with `register` as complete
#[derive(Debug, clap::Args)]
pub(crate) struct Complete {
    /// Id or name
    id: String,
    /// What the command ended with
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=255))]
    exit_code: i32,
}

impl Complete {
    pub(crate) fn run(self) -> Outcome {
        let (mut unit, folder) = registered(&self.id)?;
        crate::record::events::apply(&folder.events(), &mut unit);
        unit.exit_code = Some(self.exit_code);
        unit.end = Some(crate::wire::unit::EndSource::Itself);
        unit.process = None;
        unit.status = Status::of_end(unit.exit_code, None);
        unit.ended_at = Some(time::now());
        let started = time::parse(&unit.started_at);
        let length = started.and_then(|at| std::time::SystemTime::now().duration_since(at).ok());
        unit.duration_ms = length.and_then(|length| u64::try_from(length.as_millis()).ok());
        save(&folder, &unit)?;
        eprint!("{}", banner::footer(&unit));
        Ok(ExitCode::SUCCESS)
    }
}

/// The record as it was written, of a run made by hand that nobody completed yet.
fn registered(id: &str) -> Result<(Unit, Folder)> {
    let (found, folder) = scope::find(id)?;
    let unit = folder.load()?;
    if !unit.metadata.contains_key(MARK) {
        return Err(Error::new(format!("the record of `{}` is kept by its own process", found.id))
            .next("ig run register COMMAND"));
    }
    if unit.ended_at.is_some() {
        return Err(Error::new(format!("`{}` is complete already", found.id))
            .next("ig run register COMMAND"));
    }
    Ok((unit, folder))
}

fn save(folder: &Folder, unit: &Unit) -> Result<()> {
    folder.save(unit).map_err(|e| Error::io("write", folder.file("run.json"), &e))
}
