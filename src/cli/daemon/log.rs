//! `ig daemon log`: one line in an agent's log.

use std::process::ExitCode;

use serde_json::Value;

use super::whom::{self, Whom};
use crate::cli::Outcome;
use crate::error::Error;
use crate::record::events;
use crate::wire::request::{AgentLog, Request};

/// Add a line to the log of an agent
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its id, name, or the start of its id
    id: String,
    /// What to log
    text: String,
    /// How much it matters
    #[arg(long, default_value = "info", value_parser = ["debug", "info", "warn", "error"])]
    level: String,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        match whom::find(&self.id)? {
            Whom::Filed(folder) => events::append(&folder.events(), &self.level, &self.text)
                .map_err(|e| Error::io("write", folder.events(), &e))?,
            Whom::Wire(mut client, which) => {
                let (message, level) = (self.text, self.level);
                let line = AgentLog { id: which.id, project: None, message, level };
                drop(client.call::<Value>(&Request::AgentLog(line))?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
