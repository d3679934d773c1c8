//! `ig run register`, `stream`, `complete`: the three steps of a run by hand, for commands that
//! cannot be wrapped.
//!
//! Between the steps no process of the run need be alive, and the shell that registered it may end at
//! once. So it is pending until its output is streamed or it is completed, whoever does it, or the
//! machine is started anew: see [`waits_for_a_hand`].
//!
//! [`waits_for_a_hand`]: crate::record::waits_for_a_hand

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use crate::cli::{Outcome, resolve};
use crate::error::{Error, Result};
use crate::logs::mask::view::Veil;
use crate::os::{self, Identity};
use crate::record::output::Reader;
use crate::record::{BY_HAND, Folder, register};
use crate::run::{Plan, banner, kept, stream};
use crate::wire::unit::{EndSource, Kind, Logs, Status, Unit};
use crate::{autostart, paths, secure_fs, time};

/// Register a run that you start yourself; prints its id. It is pending until `ig run stream` or `ig
/// run complete`, whatever becomes of the shell that registered it
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
        unit.metadata.insert(BY_HAND.to_owned(), os::boot().into());
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
        let json = self.json.then(|| {
            let mut unit = unit.clone();
            Veil::new().over(&mut unit);
            serde_json::to_string_pretty(&unit).unwrap_or_default()
        });
        println!("{}", json.unwrap_or_else(|| unit.id.to_string()));
        eprintln!("registered {} (sha256:{})", banner::token(&unit), unit.script.sha256);
        Ok(ExitCode::SUCCESS)
    }
}

/// Copy stdin to stdout and keep it as the output of a run made with `register`
#[derive(Debug, clap::Args)]
pub(crate) struct Stream {
    /// Id or name
    id: String,
}

impl Stream {
    pub(crate) fn run(self) -> Outcome {
        let folder = match registered(&self.id) {
            Ok(folder) => folder,
            Err(error) => return Ok(stream::pass_on(&error)),
        };
        let begun = change(&folder, |unit| {
            unit.status = Status::Running;
            unit.logs.stdout = Some(folder.file("stdout.log"));
            unit.process = Identity::own();
            unit.pid = Some(std::process::id());
        });
        let mut logs = match begun {
            Ok(unit) => unit.logs,
            Err(error) if is_complete(&folder) => return Ok(stream::pass_on(&error)),
            // The output may be kept all the same.
            Err(error) => {
                crate::run::warn(Some(&error));
                Logs::default()
            }
        };
        stream::keep(&folder, Reader::line_count(folder.path()), &mut logs);
        // Whoever completed it meanwhile has the last word.
        let ended =
            change(&folder, |unit| (unit.process, unit.pid, unit.logs) = (None, None, logs));
        crate::run::warn(ended.err().filter(|_| !is_complete(&folder)).as_ref());
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
        let folder = registered(&self.id)?;
        let unit = change(&folder, |unit| {
            crate::record::events::apply(&folder.events(), unit);
            (unit.process, unit.pid) = (None, None);
            unit.exit_code = Some(self.exit_code);
            unit.end = Some(EndSource::Itself);
            unit.status = Status::of_end(unit.exit_code, None);
            unit.ended_at = Some(time::now());
            let started = time::parse(&unit.started_at);
            let length = started.and_then(|at| SystemTime::now().duration_since(at).ok());
            unit.duration_ms = length.and_then(|length| u64::try_from(length.as_millis()).ok());
        })?;
        eprint!("{}", banner::footer(&unit));
        Ok(ExitCode::SUCCESS)
    }
}

/// The folder of a run made by hand that nobody completed yet.
fn registered(id: &str) -> Result<Folder> {
    let (found, folder) = resolve::find(id)?;
    if !found.metadata.contains_key(BY_HAND) {
        return Err(Error::new(format!("the record of `{}` is kept by its own process", found.id))
            .next("ig run register COMMAND"));
    }
    if found.status.is_terminal() { Err(complete(&found)) } else { Ok(folder) }
}

fn complete(unit: &Unit) -> Error {
    Error::new(format!("`{}` is complete already", unit.id)).next("ig run register COMMAND")
}

/// Changes the record, unless it tells of an end already: of two who complete a run, the first has
/// the word. The lock is gone with us.
fn change(folder: &Folder, change: impl FnOnce(&mut Unit)) -> Result<Unit> {
    let _lock = secure_fs::open_dir(folder.path()).inspect(|file| {
        let _ = flock(file, FlockOperation::LockExclusive);
    });
    let mut unit = folder.load()?;
    if unit.ended_at.is_some() {
        return Err(complete(&unit));
    }
    change(&mut unit);
    folder.save(&unit).map_err(|e| Error::io("write", folder.file("run.json"), &e))?;
    Ok(unit)
}

fn is_complete(folder: &Folder) -> bool {
    folder.load().is_ok_and(|unit| unit.ended_at.is_some())
}
