//! `ig daemon unregister`: the agent is done.

use std::process::ExitCode;

use serde_json::Value;

use super::whom::{self, Whom};
use crate::cli::Outcome;
use crate::error::{Error, Result};
use crate::record::{Folder, register};
use crate::wire::request::{AgentUnregister, Request};

/// Say that an agent is done; it leaves the list, its log stays
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its id, name, or the start of its id
    id: String,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        match whom::find(&self.id)? {
            Whom::Filed(folder) => filed(&folder)?,
            Whom::Wire(mut client, which) => {
                drop(client.call::<Value>(&Request::AgentUnregister(AgentUnregister {
                    which,
                    exit_code: None,
                }))?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Nobody owns this record but the script, unless a runner does.
fn filed(folder: &Folder) -> Result<()> {
    let unit = folder.load()?;
    if unit.runner.is_some() && !unit.status.is_terminal() {
        let words = format!("`{}` ends when its command ends", unit.name);
        return Err(Error::new(words).next(format!("ig stop {}", unit.id)));
    }
    register::unregister(folder, None).map(drop)
}
