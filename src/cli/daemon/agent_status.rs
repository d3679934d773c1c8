//! `ig daemon agent-status`: what an agent says of itself.

use std::process::ExitCode;

use serde_json::Value;

use super::whom::{self, Whom};
use crate::cli::Outcome;
use crate::error::Error;
use crate::record::events;
use crate::wire::request::{AgentUpdateStatus, Request};
use crate::wire::unit::Presence;

/// Set what an agent says of itself: active, idle or busy
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its id, name, or the start of its id
    id: String,
    #[arg(value_parser = ["active", "idle", "busy"])]
    status: String,
    /// A word more, such as what it is busy with
    detail: Option<String>,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let status = Presence::parse(&self.status).unwrap_or_default();
        match whom::find(&self.id)? {
            Whom::Filed(folder) => {
                let detail = self.detail.unwrap_or_default();
                let text = format!("{} {detail}", status.word());
                events::append(&folder.events(), "status", text.trim_end())
                    .map_err(|e| Error::io("write", folder.events(), &e))?;
            }
            Whom::Wire(mut client, which) => {
                let detail = self.detail;
                let said = AgentUpdateStatus { id: which.id, project: None, status, detail };
                drop(client.call::<Value>(&Request::AgentUpdateStatus(said))?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
