//! `ig daemon register`: makes a record for a script, as the shell library does.

use std::process::ExitCode;

use serde_json::{Map, Value};

use crate::autostart;
use crate::cli::Outcome;
use crate::error::{Error, Result};
use crate::record::register::{self, Registration};

/// Register a script as an agent, and print its id
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name that others use for it
    name: String,
    /// What it is, such as `dev-script`
    #[arg(long = "type", value_name = "TYPE", default_value = "script")]
    agent_type: String,
    /// Whatever it wants known, as a JSON object; `pid` in it names its process
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// Let `ig stop` end that process and what it started: the calling script, or a child of it
    #[arg(long)]
    offer: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        if self.name.trim().is_empty() {
            return Err(Error::usage("an agent needs a name"));
        }
        let metadata = metadata(self.metadata.as_deref())?;
        let pid = owner(&metadata)?;
        crate::agent::register::check(pid, self.offer)?;
        let (name, agent_type, offer) = (self.name, self.agent_type, self.offer);
        let registration = Registration { name, agent_type, metadata, pid, offer };
        let (unit, _, warning) = register::register(registration)?;
        if let Some(warning) = warning {
            eprintln!("ig: {warning}");
        }
        // The files are enough; whether a daemon can be started is not this script's trouble.
        let _ = autostart::nudge();
        super::print(unit.id);
        Ok(ExitCode::SUCCESS)
    }
}

fn metadata(text: Option<&str>) -> Result<Map<String, Value>> {
    serde_json::from_str(text.unwrap_or("{}")).map_err(|error| {
        Error::usage(format!("`--metadata` is no JSON object: {error}"))
            .next(r#"--metadata '{"port": 8000}'"#)
    })
}

/// The process whose end is the agent's end: as told, else whoever called us.
fn owner(metadata: &Map<String, Value>) -> Result<u32> {
    let caller = || rustix::process::getppid().and_then(|pid| u32::try_from(pid.as_raw_pid()).ok());
    // A caller in another pid namespace (`docker exec`) has no number here.
    let Some(told) = metadata.get("pid") else { return Ok(caller().unwrap_or(0)) };
    let pid = told.as_u64().and_then(|pid| u32::try_from(pid).ok());
    pid.filter(|pid| *pid == 0 || crate::os::Identity::of(*pid).is_some())
        .ok_or_else(|| Error::usage(format!("`pid` in `--metadata` is no running process: {told}")))
}
