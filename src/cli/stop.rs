//! `ig stop`, `ig kill`, `ig run stop`: end a unit, all of it.

use std::process::ExitCode;
use std::time::Duration;

use super::Outcome;
use crate::error::{Error, exit};
use crate::neutral;
use crate::record::scope;
use crate::stop;

/// Stop a unit: its whole process tree, and nothing else
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id, name or the first four characters of an id
    id: String,
    /// How long it may take to end by itself
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// Do not ask, end it at once
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let (unit, _) = scope::find(&self.id)?;
        let grace = if self.force { Duration::ZERO } else { self.grace };
        let left = stop::stop(&unit, grace)?;
        if left.is_empty() {
            eprintln!("stopped {} ({})", neutral::line(&unit.name), unit.id);
            return Ok(ExitCode::SUCCESS);
        }
        let pids: Vec<String> = left.iter().map(|process| process.pid.to_string()).collect();
        Err(Error::new(format!("`{}` could not be stopped whole", neutral::line(&unit.name)))
            .at(format!("still there: pid {}", pids.join(", ")))
            .code(exit::FAILED))
    }
}
